//! The servers that are measured, each started anew for a measurement and pinned to the other core.

mod conf;

use std::fs::{self, File};
use std::io::{self, Error};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{kill_process_group, Pid, Signal};

use crate::cpu::Meter;
use crate::link::Endpoint;
use crate::tls::config;

/// The core that servers have to themselves.
const CORE: &str = "0";

/// What is measured, by the name it has in the tables.
#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Clone)]
pub(crate) enum Kind {
    /// A module with `websockify_pass`, in nginx, and directives that go with it.
    Module(PathBuf, String),
    /// nginx's own proxy for TCP, with a buffer of this size.
    Stream(String),
    /// lighttpd's mod_wstunnel, by its program.
    Lighttpd(PathBuf),
    /// A program that takes `LISTEN TARGET`, behind these words.
    Program(Vec<String>),
    /// websocat, by its program.
    Websocat(PathBuf),
}

/// Where things are.
pub(crate) struct Setup {
    pub(crate) nginx: PathBuf,
    /// The stream module's file, where nginx has it in one.
    pub(crate) stream_module: Option<PathBuf>,
    /// A directory for configurations and logs, with `cert.pem` and `key.pem` in it.
    pub(crate) work: PathBuf,
}

impl Subject {
    pub(crate) fn is_stream(&self) -> bool {
        matches!(self.kind, Kind::Stream(_))
    }

    /// Whether it is an nginx: the others are not measured with TLS, nor with thousands of sessions.
    pub(crate) fn is_nginx(&self) -> bool {
        matches!(self.kind, Kind::Module(..) | Kind::Stream(_))
    }

    /// Starts it in front of `target`.
    pub(crate) fn start(&self, setup: &Setup, target: SocketAddr, tls: bool) -> io::Result<Server> {
        // Between the question for a free port and its use, somebody else may get it.
        let mut tries = (1..3).map(|_| self.try_start(setup, target, tls));
        tries.find(Result::is_ok).unwrap_or_else(|| self.try_start(setup, target, tls))
    }

    fn try_start(&self, setup: &Setup, target: SocketAddr, tls: bool) -> io::Result<Server> {
        let listen = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?;
        let log = setup.work.join(format!("{}.log", self.name));
        let words = self.words(setup, listen, target, tls)?;
        // The load may be killed, by a timeout say, and has no last words then: the kernel ends the server with it.
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "taskset", "-c", CORE]).args(words).stdin(Stdio::null());
        command.stdout(File::create(&log)?).stderr(File::options().append(true).open(&log)?);
        let child = command.process_group(0).spawn()?;
        let tls = tls.then(config).transpose()?;
        let endpoint = Endpoint { address: listen, websocket: !self.is_stream(), tls };
        let mut server = Server { meter: Meter(child.id()), child, endpoint };
        server.await_ready(&log)?;
        Ok(server)
    }

    fn words(
        &self,
        setup: &Setup,
        listen: SocketAddr,
        target: SocketAddr,
        tls: bool,
    ) -> io::Result<Vec<String>> {
        let place = conf::Place { work: &setup.work, listen, target, tls };
        let nginx = |text: String| {
            let file = written(setup, &self.name, &text)?;
            Ok(vec![shown(&setup.nginx), "-p".into(), shown(&setup.work), "-c".into(), file])
        };
        match &self.kind {
            Kind::Module(module, directives) => nginx(conf::module(&place, module, directives)),
            Kind::Stream(buffer) => nginx(conf::stream(&place, setup.stream_module.as_deref(), buffer)),
            Kind::Lighttpd(program) => {
                let file = written(setup, &self.name, &conf::lighttpd(&place))?;
                Ok(vec![shown(program), "-D".into(), "-f".into(), file])
            }
            Kind::Program(words) => {
                let ends = [listen.to_string(), target.to_string()];
                Ok(words.iter().cloned().chain(ends).collect())
            }
            Kind::Websocat(program) => Ok(vec![
                shown(program),
                "--binary".into(),
                "--protocol".into(),
                "binary".into(),
                format!("ws-l:{listen}"),
                format!("tcp:{target}"),
            ]),
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn written(setup: &Setup, name: &str, text: &str) -> io::Result<String> {
    let file = setup.work.join(format!("{name}.conf"));
    fs::write(&file, text)?;
    Ok(shown(&file))
}

/// A server at work. It ends with the value.
pub(crate) struct Server {
    child: Child,
    pub(crate) meter: Meter,
    pub(crate) endpoint: Endpoint,
}

impl Server {
    fn await_ready(&mut self, log: &Path) -> io::Result<()> {
        let start = Instant::now();
        while TcpStream::connect(self.endpoint.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                let said = fs::read_to_string(log)?;
                return Err(Error::other(format!("it does not start ({status}): {said}")));
            }
            if start.elapsed() > Duration::from_secs(20) {
                return Err(Error::other("it does not listen"));
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Some have a process for each session. What fails here has ended already.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}
