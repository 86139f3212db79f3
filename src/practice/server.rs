//! SSH servers in this process: one per practice host, on loopback, for one key.
//!
//! A server lets in whoever holds the key of this run and does one thing: run a command in the
//! folder of its host, as this user. It is no sandbox. Shells, terminals and passwords are
//! refused, and every forwarding but that to a port where the host's nginx would listen.

use std::collections::{HashMap, HashSet, VecDeque};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use russh::keys::{PrivateKey, PublicKey};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, PublicKeyOffer, Session};
use russh::server::{VerifiedPublicKey, run_stream};
use russh::{
    Channel, ChannelId, ChannelMsg, ChannelOpenFailure, ChannelReadHalf, ChannelWriteHalf,
};
use russh::{MethodKind, MethodSet, Sig};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinSet;

use super::nginx;

/// What a server needs to know of its host.
#[derive(Debug)]
pub(super) struct Door {
    /// The folder of the host: where commands run.
    pub(super) root: PathBuf,
    /// The key by which the host is known.
    pub(super) key: PrivateKey,
    /// The key that is let in.
    pub(super) client: PublicKey,
    /// What is sent before anybody has logged in.
    pub(super) banner: Option<String>,
    /// What a login prints before the command does, on stdout and on stderr.
    pub(super) noise: Vec<u8>,
    /// How long a client waits for the first byte.
    pub(super) delay: Duration,
}

/// The commands that run now on any host, as process groups, so that none outlives the fleet.
#[derive(Debug, Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashSet<Pid>>>);

impl Running {
    /// Kills every command and what it started.
    pub(super) fn kill_all(&self) {
        for pid in self.lock().drain() {
            // A group that has just ended is as good as killed.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Pid>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets clients in until it is dropped.
pub(super) async fn listen(listener: TcpListener, door: Arc<Door>, running: Running) {
    let config = Arc::new(config(&door));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => {
                let client = Client {
                    door: Arc::clone(&door),
                    running: running.clone(),
                    waiting: HashMap::new(),
                    commands: JoinSet::new(),
                };
                connections.spawn(serve(stream, Arc::clone(&config), client));
            }
            // Out of file descriptors: some come back when a client leaves.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

async fn serve(stream: TcpStream, config: Arc<Config>, client: Client) {
    tokio::time::sleep(client.door.delay).await;
    drop(stream.set_nodelay(true));
    // How a connection ended is between ssh and its user.
    if let Ok(session) = run_stream(config, stream, client).await {
        drop(session.await);
    }
}

fn config(door: &Door) -> Config {
    Config {
        methods: MethodSet::from([MethodKind::PublicKey].as_slice()),
        keys: vec![door.key.clone()],
        // OpenSSH asks with method `none` first, and has nothing to guess here: no second of
        // waiting after a refusal.
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        // A control master may be idle for as long as it likes.
        inactivity_timeout: None,
        ..Config::default()
    }
}

/// One connection.
struct Client {
    door: Arc<Door>,
    running: Running,
    /// Channels on which no command has been asked for yet.
    waiting: HashMap<ChannelId, Channel<Msg>>,
    /// Dropped with the connection, and the commands with them.
    commands: JoinSet<()>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn authentication_banner(&mut self) -> Result<Option<String>, Self::Error> {
        Ok(self.door.banner.clone())
    }

    async fn auth_publickey_offered(
        &mut self,
        _user: &str,
        offer: PublicKeyOffer<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(offer.public_key))
    }

    async fn auth_publickey(
        &mut self,
        _user: &str,
        key: VerifiedPublicKey<'_>,
    ) -> Result<Auth, Self::Error> {
        Ok(self.judge(key.public_key))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.waiting.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        let root = self.door.root.clone();
        if !nginx::listens(&root, port) || !["127.0.0.1", "localhost", "::1"].contains(&host) {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        }
        reply.accept().await;
        self.commands.spawn(async move {
            // How it ended is between the client and nginx.
            drop(nginx::serve(&root, port, channel.into_stream()).await);
        });
        Ok(())
    }

    async fn channel_close(
        &mut self,
        id: ChannelId,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.waiting.remove(&id);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        while self.commands.try_join_next().is_some() {}
        let started = self.waiting.remove(&id).map(|channel| (channel, self.start(command)));
        match started {
            Some((channel, Ok(job))) => {
                session.channel_success(id)?;
                let noise = self.door.noise.clone();
                self.commands.spawn(job.attend(channel, noise));
                Ok(())
            }
            Some((_, Err(_))) | None => session.channel_failure(id),
        }
    }

    async fn env_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(russh::Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }

    async fn subsystem_request(
        &mut self,
        id: ChannelId,
        _name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(id)
    }
}

impl Client {
    fn judge(&self, key: &PublicKey) -> Auth {
        if key.key_data() == self.door.client.key_data() { Auth::Accept } else { Auth::reject() }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the far end, where commands run")]
    fn start(&self, command: &[u8]) -> std::io::Result<Job> {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;

        let root = &self.door.root;
        let mut path = root.join("bin").into_os_string();
        path.push(":/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin");
        let child = Command::new("/bin/sh")
            .arg("-c")
            .arg(OsStr::from_bytes(command))
            .current_dir(root)
            .env_clear()
            .env("HOME", root)
            .env("PATH", path)
            // In which certbot's log is written.
            .env("TZ", "UTC")
            // Where the scripts look instead of `/` for what no setting can move.
            .env("CERTDECK_ROOT", root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let group = Group::new(&child, &self.running);
        Ok(Job { group, child })
    }
}

/// A command that runs, and the channel's end of its pipes.
struct Job {
    // Dropped first: once its leader has been waited for, a group has no sure name.
    group: Group,
    child: Child,
}

impl Job {
    /// Carries bytes and signals between the command and its channel until one of them ends.
    async fn attend(mut self, channel: Channel<Msg>, noise: Vec<u8>) {
        let (mut messages, channel) = channel.split();
        let (stdin, stdout, stderr) =
            (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take());
        let output = async {
            let out = async {
                channel.data_bytes(noise.clone()).await?;
                carry(stdout, &channel, None).await
            };
            let err = async {
                channel.extended_data_bytes(STDERR, noise.clone()).await?;
                carry(stderr, &channel, Some(STDERR)).await
            };
            // What cannot be sent need not be read: the client is gone.
            drop(tokio::join!(out, err));
            self.child.wait().await
        };
        let status = tokio::select! {
            () = take_in(&mut messages, stdin, &self.group) => return,
            status = output => status,
        };
        self.group.forget();
        drop(end(&channel, status.ok()).await);
    }
}

/// Sends what a pipe gives until it is closed. Waits while the client's window is shut.
async fn carry(
    pipe: Option<impl AsyncRead + Unpin>,
    channel: &ChannelWriteHalf<Msg>,
    stream: Option<u32>,
) -> Result<(), russh::Error> {
    let Some(mut pipe) = pipe else { return Ok(()) };
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        if pipe.read_buf(&mut chunk).await? == 0 {
            return Ok(());
        }
        match stream {
            None => channel.data_bytes(chunk).await?,
            Some(stream) => channel.extended_data_bytes(stream, chunk).await?,
        }
    }
}

/// Hands the client's bytes and signals to the command; returns when the client has gone.
///
/// It never stops to read: a connection carries its channels one after the other, so bytes that
/// one command does not want yet would hold up all, and the window of its own output with them.
async fn take_in(messages: &mut ChannelReadHalf, mut stdin: Option<ChildStdin>, group: &Group) {
    let mut pending = VecDeque::new();
    let mut is_ended = false;
    loop {
        if is_ended && pending.is_empty() {
            stdin = None;
        }
        let hand_over = async {
            match &mut stdin {
                Some(pipe) if !pending.is_empty() => pipe.write(pending.as_slices().0).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            message = messages.wait() => match message {
                Some(ChannelMsg::Data { data }) if stdin.is_some() => {
                    pending.extend(&data);
                    if pending.len() > MAX_PENDING {
                        return;
                    }
                }
                Some(ChannelMsg::Eof) => is_ended = true,
                Some(ChannelMsg::Signal { signal }) => group.signal(&signal),
                Some(ChannelMsg::Close) | None => return,
                Some(_) => {}
            },
            written = hand_over => {
                if let Ok(written) = written {
                    drop(pending.drain(..written));
                } else {
                    // The command has closed its input; what else comes is for nobody.
                    pending.clear();
                    stdin = None;
                }
            }
        }
    }
}

/// Says how the command ended, and closes the channel.
async fn end(
    channel: &ChannelWriteHalf<Msg>,
    status: Option<ExitStatus>,
) -> Result<(), russh::Error> {
    match status.map(|it| (it.code(), it.signal())) {
        Some((Some(code), _)) => channel.exit_status(code.cast_unsigned()).await?,
        // As a shell counts them; ssh itself makes 255 of a signal.
        Some((None, signal)) => {
            channel.exit_status(128 + signal.unwrap_or_default().cast_unsigned()).await?;
        }
        None => {}
    }
    channel.eof().await?;
    channel.close().await
}

/// A command and all that it started. Killed when dropped, unless forgotten before.
struct Group {
    pid: Option<Pid>,
    running: Running,
}

impl Group {
    fn new(child: &Child, running: &Running) -> Self {
        let pid = child.id().and_then(|it| Pid::from_raw(it.cast_signed()));
        running.lock().extend(pid);
        Self { pid, running: running.clone() }
    }

    /// The command has ended by itself: what it left in the background may stay.
    fn forget(&mut self) {
        if let Some(pid) = self.pid.take() {
            self.running.lock().remove(&pid);
        }
    }

    fn signal(&self, signal: &Sig) {
        let signal = match signal {
            Sig::HUP => Signal::HUP,
            Sig::INT => Signal::INT,
            Sig::KILL => Signal::KILL,
            Sig::QUIT => Signal::QUIT,
            Sig::TERM => Signal::TERM,
            Sig::USR1 => Signal::USR1,
            _ => return,
        };
        if let Some(pid) = self.pid {
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(pid) = self.pid
            && self.running.lock().remove(&pid)
        {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

/// RFC 4254, section 5.2: `SSH_EXTENDED_DATA_STDERR`.
const STDERR: u32 = 1;

/// What is read at once: the packet that OpenSSH takes (`CHAN_SES_PACKET_DEFAULT`).
const CHUNK: usize = 32 * 1024;

/// How much input may wait for a command that does not read; then its channel ends.
const MAX_PENDING: usize = 64 * 1024 * 1024;
