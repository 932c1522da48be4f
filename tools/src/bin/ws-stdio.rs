//! `ws-stdio`: a native program's way through a WebSocket. `ws-stdio --help` tells how to call it.

use std::fs::File;
use std::io::{self, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use websockify_tools::client::handshake::{self, Accepted, Request};
use websockify_tools::client::Keys;
use websockify_tools::join::{join, Ending};
use websockify_tools::socket::Socket;
use websockify_tools::url::Url;

const HELP: &str = "\
usage: ws-stdio [options] ws://host[:port]/path

Joins standard input and output with a WebSocket; the end of the input closes it with 1000.

  --listen ADDRESS:PORT  instead, accept TCP connections there, each through a WebSocket of its own;
                         port 0 takes a free one; the address is printed
  --protocol NAME        offer this subprotocol (may be repeated; payload is always sent as it is)
  --header 'NAME: VALUE' send this header too (may be repeated)
  --unix PATH            connect to this unix socket; the URL then only gives Host and path
  --help                 this text

ssh -o ProxyCommand='ws-stdio ws://gateway/ssh' user@host
ws-stdio --listen 127.0.0.1:6380 ws://gateway/redis & redis-cli -p 6380
";

/// How long a native client may go on sending into a session that has ended.
const LINGER: Duration = Duration::from_secs(5);

/// The command line.
struct Options {
    url: Url,
    listen: Option<String>,
    unix: Option<PathBuf>,
    protocols: Vec<String>,
    headers: Vec<(String, String)>,
}

fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(message) => {
            eprintln!("ws-stdio: {message}\nws-stdio --help tells more");
            return ExitCode::from(2);
        }
    };
    let result = match &options.listen {
        Some(address) => listen(address, &options),
        None => stdio(&options),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("ws-stdio: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; `None` where help was asked for.
fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let (mut url, mut listen, mut unix) = (None, None, None);
    let (mut protocols, mut headers) = (Vec::new(), Vec::new());
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} wants a value"));
        match argument.as_str() {
            "--help" | "-h" => return Ok(None),
            "--listen" => listen = Some(value()?),
            "--unix" => unix = Some(PathBuf::from(value()?)),
            "--protocol" => protocols.push(line(value()?)?),
            "--header" => headers.push(header(value()?)?),
            option if option.starts_with('-') => return Err(format!("unknown option {option}")),
            text if url.is_none() => {
                url = Some(text.parse::<Url>().map_err(|error| format!("{text}: {error}"))?)
            }
            text => return Err(format!("one URL is enough: {text}")),
        }
    }
    let url = url.ok_or("no URL")?;
    Ok(Some(Options { url, listen, unix, protocols, headers }))
}

/// A value that stays on its line of the request.
fn line(text: String) -> Result<String, String> {
    match text.chars().any(char::is_control) {
        true => Err(format!("control character in {text:?}")),
        false => Ok(text),
    }
}

fn header(text: String) -> Result<(String, String), String> {
    match line(text)?.split_once(':') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.trim().to_owned())),
        _ => Err("--header wants 'NAME: VALUE'".to_owned()),
    }
}

/// Connects and shakes hands.
fn open(options: &Options) -> Result<(Socket, Accepted), String> {
    let url = &options.url;
    let mut socket = match &options.unix {
        Some(path) => {
            Socket::unix(path).map_err(|error| format!("cannot connect to {}: {error}", path.display()))?
        }
        None => Socket::tcp(&url.host, url.port)
            .map_err(|error| format!("cannot connect to {} port {}: {error}", url.host, url.port))?,
    };
    let request = Request {
        host: &url.authority,
        path: &url.path,
        protocols: &options.protocols,
        headers: &options.headers,
    };
    let accepted =
        handshake::open(&mut socket, request, &mut Keys::new()).map_err(|error| error.to_string())?;
    Ok((socket, accepted))
}

fn stdio(options: &Options) -> Result<(), String> {
    let (socket, accepted) = open(options)?;
    // Files on the same descriptors, because the standard library's own buffer what should go out at once.
    let descriptor = |fd: io::Result<_>| fd.map(File::from).map_err(|error| error.to_string());
    let input = descriptor(io::stdin().as_fd().try_clone_to_owned())?;
    let output = descriptor(io::stdout().as_fd().try_clone_to_owned())?;
    join(socket, &accepted.rest, input, output).ending.map(drop).map_err(|error| error.to_string())
}

fn listen(address: &str, options: &Options) -> Result<(), String> {
    let describe = |error| format!("cannot listen on {address}: {error}");
    let listener = TcpListener::bind(address).map_err(describe)?;
    let address = listener.local_addr().map_err(describe)?;
    // Its loss, where nobody reads, is not our end.
    let _ = writeln!(io::stdout(), "listening on {address}");
    thread::scope(|scope| loop {
        let (client, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            // Out of descriptors, most likely; connections that end make room.
            Err(error) => {
                eprintln!("ws-stdio: cannot accept: {error}");
                thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        scope.spawn(move || {
            if let Err(message) = tunnel(client, options) {
                eprintln!("ws-stdio: {peer}: {message}");
            }
        });
    })
}

/// Carries one native client's connection.
fn tunnel(client: TcpStream, options: &Options) -> Result<(), String> {
    let halves = client.set_nodelay(true).and_then(|()| Ok((client.try_clone()?, client.try_clone()?)));
    let (input, output) = halves.map_err(|error| error.to_string())?;
    let (socket, accepted) = open(options)?;
    let joined = join(socket, &accepted.rest, input, output);
    if !matches!(joined.ending, Ok(Ending::Input)) {
        // Closing with its bytes unread would reset the connection, and the client could lose what it has not read.
        let _ = client.shutdown(Shutdown::Write);
        let _ = joined.input_done.recv_timeout(LINGER);
    }
    let _ = client.shutdown(Shutdown::Both);
    joined.ending.map(drop).map_err(|error| error.to_string())
}
