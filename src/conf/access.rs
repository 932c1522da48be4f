//! The directives of who may be connected to.

use std::rc::Rc;

use nginx_sys::{ngx_command_t, NGX_CONF_TAKE1};
use websockify_policy::{Action, Pattern, Rules};

use super::LocConf;
use crate::nginx::conf::command::{command_at, EVERYWHERE};
use crate::nginx::conf::{parse_directive, Answer, Conf, Directive, Place};
use crate::nginx::log::Printable;

pub(crate) const COMMANDS: &[ngx_command_t] = &[
    command_at(EVERYWHERE | NGX_CONF_TAKE1, c"websockify_allow", parse_directive::<WebsockifyAllow>, 0),
    command_at(EVERYWHERE | NGX_CONF_TAKE1, c"websockify_deny", parse_directive::<WebsockifyDeny>, 0),
];

/// What sessions have a right to.
#[derive(Default)]
pub(crate) struct AccessConf {
    /// `websockify_allow` and `websockify_deny`, in their order
    pub(crate) rules: Rc<Rules<Place>>,
}

impl AccessConf {
    /// As nginx's own: a level with rules of its own has no others.
    pub(super) fn merge(&mut self, outer: &Self) {
        if self.rules.is_empty() {
            self.rules = Rc::clone(&outer.rules);
        }
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
