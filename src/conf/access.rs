//! The directives of who may connect, and to whom.

use std::rc::Rc;

use nginx_sys::{ngx_command_t, ngx_str_t, NGX_CONF_1MORE, NGX_CONF_TAKE1};
use websockify_policy::{Action, Pattern, Rules};
use websockify_protocol::Origins;
use websockify_tunnel::FirstBytes;

use super::LocConf;
use crate::nginx::conf::command::{command_at, EVERYWHERE};
use crate::nginx::conf::{once, parse_directive, Answer, Conf, Directive, Place};
use crate::nginx::log::Printable;

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command_at(EVERYWHERE | NGX_CONF_TAKE1, c"websockify_allow", parse_directive::<WebsockifyAllow>, 0),
    command_at(EVERYWHERE | NGX_CONF_TAKE1, c"websockify_deny", parse_directive::<WebsockifyDeny>, 0),
    command_at(EVERYWHERE | NGX_CONF_1MORE, c"websockify_origin", parse_directive::<WebsockifyOrigin>, 0),
    command_at(
        EVERYWHERE | NGX_CONF_1MORE,
        c"websockify_first_bytes",
        parse_directive::<WebsockifyFirstBytes>,
        0,
    ),
];

/// What sessions have a right to.
#[derive(Default)]
pub(crate) struct AccessConf {
    /// `websockify_allow` and `websockify_deny`, in their order
    pub(crate) rules: Rc<Rules<Place>>,
    /// `websockify_origin`, if it is set
    origins: Option<Rc<Origins>>,
    /// `websockify_first_bytes`, if it is set; `None` in it is `off`
    first_bytes: Option<Option<FirstBytes>>,
}

impl AccessConf {
    /// As nginx's own: a level with rules of its own has no others.
    pub(super) fn merge(&mut self, outer: &Self) {
        if self.rules.is_empty() {
            self.rules = Rc::clone(&outer.rules);
        }
        if self.origins.is_none() {
            self.origins.clone_from(&outer.origins);
        }
        if self.first_bytes.is_none() {
            self.first_bytes.clone_from(&outer.first_bytes);
        }
    }

    /// The pages that may connect.
    pub(crate) fn origins(&self) -> &Origins {
        self.origins.as_deref().unwrap_or(&Origins::Any)
    }

    /// What a target has to say first, if anything is demanded.
    pub(crate) fn first_bytes(&self) -> Option<&FirstBytes> {
        self.first_bytes.as_ref()?.as_ref()
    }

    fn add_rule(&mut self, action: Action, conf: Conf) -> Answer {
        let text = conf.argument(1);
        let shown = Printable(text.as_bytes());
        let pattern = Pattern::parse(text.as_bytes())
            .map_err(|error| conf.refuse(format_args!("invalid parameter \"{shown}\": {error}")))?;
        if pattern.has_meaningless_bits() {
            conf.warn(format_args!("low address bits of {shown} are meaningless"));
        }
        Rc::make_mut(&mut self.rules).push(action, pattern, conf.place());
        Ok(())
    }
}

/// `websockify_allow CIDR[:port[-port]] | unix: | all;`
struct WebsockifyAllow;

impl Directive for WebsockifyAllow {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        location.access.add_rule(Action::Allow, conf)
    }
}

/// `websockify_deny CIDR[:port[-port]] | unix: | all;`
struct WebsockifyDeny;

impl Directive for WebsockifyDeny {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        location.access.add_rule(Action::Deny, conf)
    }
}

/// `websockify_origin any | same | none | null | origin ...;`
struct WebsockifyOrigin;

impl Directive for WebsockifyOrigin {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let origins = &mut location.access.origins;
        once(origins.is_some())?;
        let words = conf.arguments().iter().skip(1).map(ngx_str_t::as_bytes);
        *origins = Some(Rc::new(Origins::parse(words).map_err(|(word, error)| {
            conf.refuse(format_args!("invalid parameter \"{}\": {error}", Printable(word)))
        })?));
        Ok(())
    }
}

/// `websockify_first_bytes off | string ...;`
struct WebsockifyFirstBytes;

impl Directive for WebsockifyFirstBytes {
    type Location = LocConf;

    fn parse(location: &mut LocConf, conf: Conf) -> Answer {
        let setting = &mut location.access.first_bytes;
        once(setting.is_some())?;
        let texts = || conf.arguments().iter().skip(1).map(ngx_str_t::as_bytes);
        *setting = Some(if texts().eq([&b"off"[..]]) {
            None
        } else {
            Some(FirstBytes::parse(texts()).map_err(|(text, error)| {
                conf.refuse(format_args!("invalid parameter \"{}\": {error}", Printable(text)))
            })?)
        });
        Ok(())
    }
}
