//! The directives of token files.

use std::rc::Rc;

use nginx_sys::{ngx_command_t, ngx_str_t};

use super::main::MainConf;
use super::LocConf;
use crate::nginx::conf::command::command;
use crate::nginx::conf::{once, parse_directive, Answer, ComplexValue, Conf, ConfError, Directive};
use crate::nginx::tokens::TokenFile;

/// Where a client's token is, if nothing else is said.
const DEFAULT_TOKEN: &str = "$arg_token";

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command(c"websockify_token_file", parse_directive::<WebsockifyTokenFile>, 0),
    command(c"websockify_token", parse_directive::<WebsockifyToken>, 0),
];

/// Which tokens a location knows.
pub(crate) struct TokenConf {
    /// `websockify_token_file`
    file: Setting,
    /// `websockify_token`
    text: Option<ComplexValue>,
}

enum Setting {
    Unset,
    Off,
    File(Rc<TokenFile>),
}

impl TokenConf {
    pub(super) fn unset() -> Self {
        Self { file: Setting::Unset, text: None }
    }

    pub(super) fn merge(&mut self, outer: &Self, conf: Conf) -> Answer {
        if let Setting::Unset = self.file {
            self.file = match &outer.file {
                Setting::File(file) => Setting::File(Rc::clone(file)),
                Setting::Off | Setting::Unset => Setting::Off,
            };
        }
        self.text = self.text.or(outer.text);
        if let (Setting::File(_), None) = (&self.file, self.text) {
            let text = ngx_str_t { len: DEFAULT_TOKEN.len(), data: DEFAULT_TOKEN.as_ptr().cast_mut() };
            self.text = conf.compile(text)?;
        }
        Ok(())
    }

    /// The file that has the location's tokens, and where a client's is, if a client needs one.
    pub(crate) fn required(&self) -> Option<(&TokenFile, ComplexValue)> {
        match &self.file {
            Setting::File(file) => Some((file, self.text?)),
            Setting::Off | Setting::Unset => None,
        }
    }
}

/// `websockify_token_file path | off;`
struct WebsockifyTokenFile;

impl Directive for WebsockifyTokenFile {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let setting = &mut location.token.file;
        once(!matches!(setting, Setting::Unset))?;
        *setting = match conf.argument(1).as_bytes() {
            b"off" => Setting::Off,
            b"" => return Err(ConfError::Words(c"has no path")),
            _ => Setting::File(open(conf)?),
        };
        Ok(())
    }
}

/// The file that the directive names, read once however often it is named.
fn open(conf: Conf) -> Result<Rc<TokenFile>, ConfError> {
    let path = conf.full_name(conf.argument(1))?;
    let files = &mut conf.main::<MainConf>().token_files;
    if let Some(known) = files.iter().find(|file| file.is_at(path.as_bytes())) {
        return Ok(Rc::clone(known));
    }
    let file = TokenFile::open(path.as_bytes(), conf.place(), conf.log());
    let file = Rc::new(file.map_err(|reason| conf.refuse(format_args!("{reason}")))?);
    files.push(Rc::clone(&file));
    Ok(file)
}

/// `websockify_token text;`
struct WebsockifyToken;

impl Directive for WebsockifyToken {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let text = &mut location.token.text;
        once(text.is_some())?;
        *text = conf.compile(conf.argument(1))?;
        // One token for everybody is none.
        text.is_some().then_some(()).ok_or(ConfError::Words(c"has no variable in its value"))
    }
}
