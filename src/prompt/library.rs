//! All families and layouts, from the program and from a folder of overrides.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::layout::{LayoutFile, RolesSystem};
use super::render::template_name;
use super::sources::Sources;
use super::{
    Angles, Defects, Family, History, Layout, Member, Nonce, PromptError, RenderError, Rendered, Shown, Template,
};

/// Families and layouts, checked when loaded: every template has rendered with every family.
#[derive(Debug, Clone)]
pub struct Prompts {
    families: BTreeMap<String, Family>,
    pub(super) roles_systems: BTreeMap<Layout, RolesSystem>,
    pub(super) templates: Environment<'static>,
    digest: blake3::Hash,
}

impl Prompts {
    /// The families and layouts that come with the program.
    ///
    /// # Panics
    /// Not in a program whose tests pass: its own files are tested.
    pub fn embedded() -> Self {
        Self::build(&Sources::embedded()).expect("the prompt files of the program are tested")
    }

    /// The program's families and layouts, with the files in `dir/families` and `dir/layouts` replacing those of the same
    /// name. A family of another name is added; layouts can only be replaced. Files that do not end in `.toml` are not read.
    pub fn with_overrides(dir: &Path) -> Result<Self, PromptError> {
        let mut sources = Sources::embedded();
        sources.replace_from(dir)?;
        Self::build(&sources)
    }

    /// The family of this name.
    pub fn family(&self, name: &str) -> Result<&Family, PromptError> {
        self.families.get(name).ok_or_else(|| PromptError::UnknownFamily {
            name: name.to_owned(),
            known: self
                .families
                .keys()
                .map(|name| format!("`{name}`"))
                .collect::<Vec<_>>()
                .join(", "),
        })
    }

    /// BLAKE3 of all family and layout files in use, names included, in hexadecimal: what a run records of its prompts.
    ///
    /// It depends neither on where the files are nor on the order in which they are read. Every byte of them counts, comments
    /// too.
    pub fn digest(&self) -> String {
        self.digest.to_hex().to_string()
    }

    /// All families, by name.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }

    fn build(sources: &Sources) -> Result<Self, PromptError> {
        let families = sources
            .families
            .iter()
            .map(|(name, source)| Ok((name.clone(), Family::from_toml(&source.path, &source.text)?)))
            .collect::<Result<_, PromptError>>()?;
        let layouts = sources
            .layouts
            .values()
            .map(|source| {
                let (layout, file) = LayoutFile::from_toml(&source.path, &source.text)?;
                Ok((layout, (source.path.as_path(), file)))
            })
            .collect::<Result<BTreeMap<_, _>, PromptError>>()?;
        let mut prompts = Self {
            families,
            roles_systems: layouts
                .iter()
                .map(|(layout, (_, file))| (*layout, file.roles_system))
                .collect(),
            templates: environment(),
            digest: sources.digest(),
        };
        for (layout, (path, file)) in &layouts {
            prompts.compile(*layout, path, file)?;
            prompts.try_out(*layout, path)?;
        }
        Ok(prompts)
    }

    /// Compiles a layout's templates and checks that they use no slot that they are not given.
    fn compile(&mut self, layout: Layout, path: &Path, file: &LayoutFile) -> Result<(), PromptError> {
        for (template, source) in file.templates() {
            let name = template_name(layout, template);
            let failed = |error: &minijinja::Error| PromptError::Template {
                path: path.to_owned(),
                template,
                line: error.line().unwrap_or(1),
                detail: error.to_string(),
            };
            self.templates
                .add_template_owned(name.clone(), source.to_owned())
                .map_err(|error| failed(&error))?;
            let compiled = self.templates.get_template(&name).map_err(|error| failed(&error))?;
            let mut unknown: Vec<String> = compiled.undeclared_variables(false).into_iter().collect();
            unknown.retain(|slot| !template.slots().contains(&slot.as_str()));
            unknown.sort_unstable();
            if let Some(slot) = unknown.into_iter().next() {
                let known = template
                    .slots()
                    .iter()
                    .map(|slot| format!("`{slot}`"))
                    .collect::<Vec<_>>()
                    .join(", ");
                return Err(PromptError::UnknownSlot {
                    path: path.to_owned(),
                    template,
                    slot,
                    known,
                });
            }
        }
        Ok(())
    }

    /// Renders every prompt of a layout with sample text for every family: a user's mistake shows when files are read, not
    /// after an hour of judging.
    fn try_out(&self, layout: Layout, path: &Path) -> Result<(), PromptError> {
        let shown = Shown {
            query: "sample query",
            first: "first sample",
            second: "second sample",
        };
        let nonce = Nonce::for_pair(0, &[shown.query, shown.first, shown.second]);
        let member = |number| Member {
            number,
            role: "angle",
            reviews: vec!["review", "another review"],
        };
        let alone = History {
            own: 0,
            members: vec![member(0)],
            angles: vec!["angle"],
        };
        let among = History {
            own: 1,
            members: vec![member(0), member(1)],
            angles: vec!["angle", "other angle"],
        };
        for family in self.families() {
            let mut trials: Vec<(Template, Result<Rendered, RenderError>)> = Vec::new();
            for angles in [
                Angles::Unlimited,
                Angles::Limited(NonZeroUsize::MIN),
                Angles::Limited(NonZeroUsize::MAX),
            ] {
                trials.push((Template::Roles, self.roles(layout, family, &shown, &nonce, angles)));
            }
            for role in [None, Some("angle")] {
                trials.push((Template::Judge, self.judge(layout, family, &shown, &nonce, role)));
                for (history, defects) in [
                    (&alone, Defects::Fixed),
                    (&alone, Defects::Reproduce),
                    (&among, Defects::Fixed),
                ] {
                    trials.push((
                        Template::Deeper,
                        self.deeper(layout, family, &shown, &nonce, history, role, defects),
                    ));
                }
            }
            for (template, trial) in trials {
                match trial {
                    Ok(prompt) if prompt.user.contains(shown.first) && prompt.user.contains(shown.second) => {}
                    Ok(_) => {
                        return Err(PromptError::CandidateLost {
                            path: path.to_owned(),
                            template,
                        });
                    }
                    Err(RenderError::Template {
                        template, line, detail, ..
                    }) => {
                        return Err(PromptError::Template {
                            path: path.to_owned(),
                            template,
                            line,
                            detail,
                        });
                    }
                    // The layout has no such prompt, or no role in it: that is its good right.
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// Strict about missing values, and neither escaping nor trimming anything.
fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    // Block tags stand on lines of their own in the files; that concerns the templates' text only, never inserted values.
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build();
    environment.set_syntax(syntax.expect("the default delimiters are valid"));
    environment
}
