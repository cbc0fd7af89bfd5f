//! From family, layout and data to the text that is sent.

use minijinja::{Value, context};

use super::layout::RolesSystem;
use super::roles::OPEN;
use super::{Angles, Defects, Family, History, Layout, Nonce, Prompts, RenderError, Rendered, Shown, Template};

/// The key of a template among all templates of all layouts.
pub(super) fn template_name(layout: Layout, template: Template) -> String {
    format!("{}.{template}", layout.name())
}

impl Prompts {
    /// The prompt that asks which angles of view matter for this pair (spec 3.1, 4.2).
    pub fn roles(
        &self,
        layout: Layout,
        family: &Family,
        shown: &Shown<'_>,
        nonce: &Nonce,
        angles: Angles,
    ) -> Result<Rendered, RenderError> {
        let page = Page::new(self, layout, family, shown, nonce, Template::Roles)?;
        let (limit, delimited) = match angles {
            Angles::Unlimited => (None, family.delimited.unlimited),
            Angles::Limited(limit) => (Some(limit.get()), family.delimited.limited),
        };
        let own = context! {
            limit => limit,
            delimited => delimited.name(),
            open => OPEN,
            close => family.close,
        };
        let rendered = page.finish(own)?;
        Ok(match self.roles_systems.get(&layout) {
            Some(RolesSystem::None) => Rendered {
                system: None,
                ..rendered
            },
            Some(RolesSystem::Judge) | None => rendered,
        })
    }

    /// The prompt of a neuron in layer 1 (spec 4.3); without a role it asks for the overall quality.
    pub fn judge(
        &self,
        layout: Layout,
        family: &Family,
        shown: &Shown<'_>,
        nonce: &Nonce,
        role: Option<&str>,
    ) -> Result<Rendered, RenderError> {
        let page = Page::new(self, layout, family, shown, nonce, Template::Judge)?;
        if let Some(role) = role
            && !self.has(layout, Template::Roles)
        {
            return Err(RenderError::NoRole {
                layout,
                role: role.to_owned(),
            });
        }
        page.finish(context! { role => role })
    }

    /// The prompt of a neuron in layers from 2 on, which reads reviews of the layer before (spec 4.4, 5.2).
    #[expect(
        clippy::too_many_arguments,
        reason = "the four that place a prompt come first in all three functions"
    )]
    pub fn deeper(
        &self,
        layout: Layout,
        family: &Family,
        shown: &Shown<'_>,
        nonce: &Nonce,
        history: &History<'_>,
        role: Option<&str>,
        defects: Defects,
    ) -> Result<Rendered, RenderError> {
        let page = Page::new(self, layout, family, shown, nonce, Template::Deeper)?;
        let numbers = || history.members.iter().map(|member| member.number).collect();
        if !history.members.is_sorted_by(|a, b| a.number < b.number) {
            return Err(RenderError::MembersOutOfOrder { numbers: numbers() });
        }
        let Some(own) = history.members.iter().find(|member| member.number == history.own) else {
            return Err(RenderError::OwnNotVisible {
                own: history.own,
                numbers: numbers(),
            });
        };
        let others: Vec<&str> = history
            .members
            .iter()
            .filter(|member| member.number != history.own)
            .flat_map(|member| member.reviews.iter().copied())
            .collect();
        let complete = !own.reviews.is_empty() && !others.is_empty();
        let spoken: Vec<&str> = history
            .members
            .iter()
            .flat_map(|member| member.reviews.iter().copied().chain([member.role]))
            .chain(history.angles.iter().copied())
            .collect();
        let members = history.members.iter().map(|member| {
            context! {
                number => member.number + 1,
                role => (!member.role.is_empty()).then_some(member.role),
                reviews => list(&member.reviews),
            }
        });
        page.finish(context! {
            role => role,
            own => history.own + 1,
            members => members.collect::<Value>(),
            own_reviews => list(&own.reviews),
            other_reviews => list(&others),
            angles => list(&history.angles),
            review_nonce => nonce.apart_from(&spoken).as_str(),
            history => complete || defects == Defects::Fixed,
        })
    }

    fn has(&self, layout: Layout, template: Template) -> bool {
        self.templates.get_template(&template_name(layout, template)).is_ok()
    }

    fn render(&self, layout: Layout, template: Template, values: Value) -> Result<String, RenderError> {
        let failed = |error: minijinja::Error| RenderError::Template {
            layout,
            template,
            line: error.line().unwrap_or(1),
            detail: error.to_string(),
        };
        self.templates
            .get_template(&template_name(layout, template))
            .map_err(failed)?
            .render(values)
            .map_err(failed)
    }
}

/// One prompt in the making: what all three kinds have in common.
struct Page<'a> {
    prompts: &'a Prompts,
    layout: Layout,
    template: Template,
    system: String,
    values: Value,
}

impl<'a> Page<'a> {
    fn new(
        prompts: &'a Prompts,
        layout: Layout,
        family: &Family,
        shown: &Shown<'_>,
        nonce: &Nonce,
        template: Template,
    ) -> Result<Self, RenderError> {
        if !prompts.has(layout, template) {
            return Err(RenderError::NoTemplate { layout, template });
        }
        if !nonce.is_absent_from(&[shown.query, shown.first, shown.second]) {
            return Err(RenderError::NonceInText {
                nonce: nonce.to_string(),
            });
        }
        let family = wording(family);
        let values = context! {
            family => family.clone(),
            query => shown.query,
            first => shown.first,
            second => shown.second,
            nonce => nonce.as_str(),
        };
        let start = prompts.render(layout, Template::Start, values.clone())?;
        Ok(Self {
            prompts,
            layout,
            template,
            system: prompts.render(layout, Template::System, context! { family => family })?,
            // `start` is inserted as a value: what the candidates say in it is not read as template text.
            values: context! { start => start, ..values },
        })
    }

    fn finish(self, own: Value) -> Result<Rendered, RenderError> {
        let user = self
            .prompts
            .render(self.layout, self.template, context! { ..own, ..self.values })?;
        Ok(Rendered {
            system: Some(self.system),
            user,
        })
    }
}

fn wording(family: &Family) -> Value {
    let context = family.context.as_ref().map(|block| {
        context! { label => block.label.as_str(), phrase => block.phrase.as_str() }
    });
    context! {
        name => family.name.as_str(),
        context => context,
        candidate => context! { label => family.candidate.label.as_str(), plural => family.candidate.plural.as_str() },
        persona => family.persona.as_str(),
        decision => family.decision.as_str(),
        roles_question => family.roles_question.as_str(),
        task => family.task.as_str(),
        high_score => family.high_score.as_str(),
    }
}

fn list(texts: &[&str]) -> Value {
    texts.iter().copied().collect()
}
