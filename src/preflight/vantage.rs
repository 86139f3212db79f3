//! How a host asks for a file over HTTP, as another point of view beside that of the console.
//! Shell text out, answers in; it changes nothing there.

use std::net::IpAddr;

use crate::source::{Answer, Incomplete, Nonce, Script, quote};
use crate::text::SafeText;

use super::evidence::Saw;

/// A file that a host asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The name.
    pub name: String,
    /// The address at which it is asked.
    pub at: IpAddr,
    /// The port.
    pub port: u16,
    /// The path, from the root.
    pub path: String,
}

/// The script that asks for all of them.
pub fn script(files: &[Asked], nonce: &Nonce) -> String {
    let mut script = Script::new(nonce);
    script.begin_section();
    script.push(SEE);
    for (number, Asked { name, at, port, path }) in files.iter().enumerate() {
        // As it stands in a URL.
        let at = match at {
            IpAddr::V4(at) => at.to_string(),
            IpAddr::V6(at) => format!("[{at}]"),
        };
        script.push(&format!("see {number} {} {port} {} {at}", quote(name), quote(path)));
    }
    script.finish()
}

/// What came of each of them, by its number, where `content` is what should come.
///
/// # Errors
/// Where the answer is cut short, or none.
pub fn read(bytes: &[u8], nonce: &Nonce, content: &str) -> Result<Vec<(usize, Saw)>, Incomplete> {
    let answer = Answer::read(bytes, nonce)?;
    let frames = answer.sections.iter().flat_map(|it| &it.frames);
    let saw = |it: &crate::source::Frame<'_>| {
        let key = String::from_utf8_lossy(it.key);
        let (program, at) = key.split_once(' ')?;
        let body = String::from_utf8_lossy(it.body);
        Some((at.trim().parse().ok()?, saw(program, &body, content)))
    };
    Ok(frames.filter(|it| it.word == b"saw").filter_map(saw).collect())
}

fn saw(program: &str, body: &str, content: &str) -> Saw {
    let has_it = body.contains(content);
    if has_it {
        return Saw::Token;
    }
    let body = body.trim();
    let last = body.lines().last().unwrap_or_default();
    match program {
        "none" => Saw::Untried(SafeText::new("neither curl nor wget nor bash is there")),
        "curl" => {
            let error = body.lines().find_map(|it| it.strip_prefix("curl: "));
            // What it is told to print at the end: code, address.
            let told = last.strip_prefix("certdeck ").and_then(|it| it.split_once(' '));
            match (error, told) {
                // Before 7.49.0, of 2016.
                (Some(error), _) if error.contains("is unknown") => {
                    Saw::Untried(SafeText::new("its curl is too old"))
                }
                (Some(error), _) => Saw::Nothing(SafeText::capped(error, 200)),
                (None, Some((code, at))) => {
                    let text = format!("answers {code} (from {at}) with something else");
                    Saw::Other(SafeText::capped(&text, 200))
                }
                (None, None) => Saw::Nothing(SafeText::new("curl got nothing")),
            }
        }
        // Old ones print nothing at all where they fail.
        _ if body.is_empty() => Saw::Nothing(SafeText::new(&format!("{program} got nothing"))),
        "bash" if body.starts_with("HTTP/") => {
            let head = body.lines().next().unwrap_or_default();
            Saw::Other(SafeText::capped(&format!("answers {head}"), 200))
        }
        "wget" if body.starts_with("wget:") || body.contains("ERROR") => {
            Saw::Nothing(SafeText::capped(body.lines().next().unwrap_or_default(), 200))
        }
        _ => Saw::Other(SafeText::new("answers with something else")),
    }
}

/// Certificates are not looked at where a redirect leads to HTTPS, as no CA does. bash asks
/// itself, where nothing else is there, and follows nothing. The address is given, so that it is
/// the way there that is tried and not the resolver of this host.
const SEE: &str = r#"
see() {
h=$2
[ "$3" = 80 ] || h=$2:$3
if command -v curl >/dev/null; then mark frame saw "curl $1"
{ curl -s -S -k -L --max-redirs 10 -m 10 -A certdeck --connect-to "$2::$5:" -w '\ncertdeck %{http_code} %{remote_ip}\n' "http://$h$4" 2>&1; } | tail -c 4096
elif command -v wget >/dev/null; then mark frame saw "wget $1"
{ wget -q -O - -T 10 --no-check-certificate --header "Host: $h" "http://$5:$3$4" 2>&1; } | head -c 4096
elif command -v bash >/dev/null; then mark frame saw "bash $1"
a=${5#[}
bash -c 'exec 3<>"/dev/tcp/$0/$1" && printf "GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n" "$2" "$3" >&3 && head -c 4096 <&3' "${a%]}" "$3" "$4" "$h" 2>&1
else mark frame saw "none $1"; fi
}
"#;

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a shell is what is tried")]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    use std::os::unix::fs::symlink;
    use std::process::{Command, Stdio};

    use super::*;

    #[track_caller]
    fn check(program: &str, body: &str, expect: &Saw) {
        assert_eq!(saw(program, body, "right"), *expect);
    }

    #[test]
    fn what_programs_say_is_told_apart() {
        let other = |it: &str| Saw::Other(SafeText::new(it));
        let nothing = |it: &str| Saw::Nothing(SafeText::new(it));
        check("curl", "right\ncertdeck 200 192.0.2.1\n", &Saw::Token);
        check(
            "curl",
            "<html>\ncertdeck 404 192.0.2.1\n",
            &other("answers 404 (from 192.0.2.1) with something else"),
        );
        check(
            "curl",
            "curl: (7) Failed to connect to a.test\n\ncertdeck 000 \n",
            &nothing("(7) Failed to connect to a.test"),
        );
        let old = Saw::Untried(SafeText::new("its curl is too old"));
        check("curl", "curl: option --connect-to: is unknown\n", &old);
        check("wget", "right", &Saw::Token);
        check("wget", "", &nothing("wget got nothing"));
        check("wget", "wget: bad address 'a'", &nothing("wget: bad address 'a'"));
        check("bash", "HTTP/1.0 404 Not Found\r\n", &other("answers HTTP/1.0 404 Not Found"));
        check("none", "", &Saw::Untried(SafeText::new("neither curl nor wget nor bash is there")));
    }

    /// The same file is found with whatever program is there.
    #[test]
    fn any_of_the_programs_does() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = std::thread::spawn(move || {
            for _ in 0..2 {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                // A shell writes it line by line.
                while !request.ends_with(b"\r\n\r\n") {
                    let mut part = [0; 1024];
                    let length = stream.read(&mut part).unwrap();
                    assert!(length > 0, "{}", String::from_utf8_lossy(&request));
                    request.extend_from_slice(&part[..length]);
                }
                let request = String::from_utf8_lossy(&request);
                assert!(request.starts_with("GET /x HTTP/1."), "{request}");
                assert!(request.contains(&format!("Host: a.test:{port}\r\n")), "{request}");
                stream.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nright").unwrap();
            }
        });
        let nonce = Nonce::new([3; 16]);
        let at = "127.0.0.1".parse().unwrap();
        let asked = Asked { name: "a.test".into(), at, port, path: "/x".into() };
        let run = |programs: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            for program in programs.iter().chain(&["date", "head", "tail"]) {
                let real = ["/usr/bin", "/bin"].map(|it| format!("{it}/{program}"));
                let real = real.iter().find(|it| std::path::Path::new(it).exists());
                let Some(real) = real else { panic!("there is no {program}") };
                symlink(real, folder.path().join(program)).unwrap();
            }
            // What the script itself looks through beside its PATH is left out.
            let text = script(std::slice::from_ref(&asked), &nonce).replace(
                "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin:/snap/bin",
                "PATH=$PATH",
            );
            let mut child = Command::new("/bin/sh")
                .arg("-s")
                .env("PATH", folder.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            read(&output.stdout, &nonce, "right").unwrap()
        };
        assert_eq!(run(&["curl"]), [(0, Saw::Token)]);
        assert_eq!(run(&["bash"]), [(0, Saw::Token)]);
        assert!(matches!(&run(&[])[..], [(0, Saw::Untried(_))]));
        serving.join().unwrap();
    }
}
