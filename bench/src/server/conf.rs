//! Configurations, as alike as they can be: one worker, no log, the same timeouts.

use std::net::SocketAddr;
use std::path::Path;

/// What stands between which ends.
pub(crate) struct Place<'a> {
    pub(crate) work: &'a Path,
    pub(crate) listen: SocketAddr,
    pub(crate) target: SocketAddr,
    pub(crate) tls: bool,
}

impl Place<'_> {
    fn listen(&self) -> String {
        let work = self.work.display();
        let (ssl, certificate) = if self.tls {
            (" ssl", format!("ssl_certificate {work}/cert.pem; ssl_certificate_key {work}/key.pem;"))
        } else {
            ("", String::new())
        };
        format!("listen {} backlog=4096{ssl}; {certificate}", self.listen)
    }

    /// The processor is the worker's alone, and it is the only process.
    fn nginx(&self, module: Option<&Path>, rest: &str) -> String {
        let load = module.map(|path| format!("load_module {};", path.display())).unwrap_or_default();
        let work = self.work.display();
        format!(
            "{load}\ndaemon off; master_process off;\npid {work}/nginx.pid; error_log stderr error;\n\
             events {{ worker_connections 18000; }}\n{rest}\n"
        )
    }
}

/// nginx with a module that has `websockify_pass`.
pub(crate) fn module(place: &Place<'_>, module: &Path, directives: &str) -> String {
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {}/temp;\n", place.work.display()))
        .concat();
    let (listen, target) = (place.listen(), place.target);
    place.nginx(
        Some(module),
        &format!(
            "http {{\naccess_log off;\n{temporary}server {{ {listen}\n\
             location /websockify {{ websockify_pass {target}; {directives} }}\n}}\n}}"
        ),
    )
}

/// nginx's proxy for TCP.
pub(crate) fn stream(place: &Place<'_>, module: Option<&Path>, buffer: &str) -> String {
    let (listen, target) = (place.listen(), place.target);
    place.nginx(
        module,
        &format!("stream {{ server {{ {listen}\nproxy_pass {target}; proxy_buffer_size {buffer}; }} }}"),
    )
}

/// lighttpd's mod_wstunnel.
pub(crate) fn lighttpd(place: &Place<'_>) -> String {
    let (work, listen, target) = (place.work.display(), place.listen, place.target);
    format!(
        "server.modules = ( \"mod_wstunnel\" )\nserver.document-root = \"{work}\"\n\
         server.bind = \"{}\"\nserver.port = {}\nserver.listen-backlog = 4096\n\
         server.max-fds = 18000\nserver.max-connections = 9000\nserver.errorlog = \"{work}/lighttpd-error.log\"\n\
         wstunnel.server = ( \"\" => ( ( \"host\" => \"{}\", \"port\" => {} ) ) )\n\
         wstunnel.frame-type = \"binary\"\n",
        listen.ip(),
        listen.port(),
        target.ip(),
        target.port()
    )
}
