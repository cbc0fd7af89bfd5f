//! All families and layouts, from the program and from a folder of overrides.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::layout::{LayoutFile, RolesSystem};
use super::render::template_name;
use super::{
    Angles, Defects, Family, History, Layout, Member, Nonce, PromptError, RenderError, Rendered, Shown, Template,
};

/// A file of the program, with the path that it has in the sources.
macro_rules! embedded {
    ($path:literal) => {
        ($path, include_str!(concat!("../../", $path)))
    };
}

const FAMILIES: [(&str, &str); 9] = [
    embedded!("prompts/families/code.toml"),
    embedded!("prompts/families/data-to-text.toml"),
    embedded!("prompts/families/dialogue.toml"),
    embedded!("prompts/families/multi-dialogue.toml"),
    embedded!("prompts/families/nli.toml"),
    embedded!("prompts/families/qa.toml"),
    embedded!("prompts/families/safety.toml"),
    embedded!("prompts/families/story.toml"),
    embedded!("prompts/families/summary.toml"),
];

const LAYOUTS: [(&str, &str); 4] = [
    embedded!("prompts/layouts/faireval-vanilla.toml"),
    embedded!("prompts/layouts/faireval.toml"),
    embedded!("prompts/layouts/official.toml"),
    embedded!("prompts/layouts/shared.toml"),
];

/// Families and layouts, checked when loaded: every template has rendered with every family.
#[derive(Debug, Clone)]
pub struct Prompts {
    families: BTreeMap<String, Family>,
    pub(super) roles_systems: BTreeMap<Layout, RolesSystem>,
    pub(super) templates: Environment<'static>,
}

impl Prompts {
    /// The families and layouts that come with the program.
    ///
    /// # Panics
    /// Not in a program whose tests pass: its own files are tested.
    pub fn embedded() -> Self {
        Self::build(None).expect("the prompt files of the program are tested")
    }

    /// The program's families and layouts, with the files in `dir/families` and `dir/layouts` replacing those of the same
    /// name. A family of another name is added; layouts can only be replaced. Files that do not end in `.toml` are not read.
    pub fn with_overrides(dir: &Path) -> Result<Self, PromptError> {
        Self::build(Some(dir))
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

    /// All families, by name.
    pub fn families(&self) -> impl Iterator<Item = &Family> {
        self.families.values()
    }

    fn build(overrides: Option<&Path>) -> Result<Self, PromptError> {
        let mut families = BTreeMap::new();
        let mut layouts = BTreeMap::new();
        let mut add_family = |path: &Path, text: &str| {
            Family::from_toml(path, text).map(|family| {
                families.insert(family.name.clone(), family);
            })
        };
        let mut add_layout = |path: &Path, text: &str| {
            LayoutFile::from_toml(path, text).map(|(layout, file)| {
                layouts.insert(layout, (path.to_owned(), file));
            })
        };
        FAMILIES
            .iter()
            .try_for_each(|(path, text)| add_family(Path::new(path), text))?;
        LAYOUTS
            .iter()
            .try_for_each(|(path, text)| add_layout(Path::new(path), text))?;
        if let Some(dir) = overrides {
            let (family_dir, layout_dir) = (dir.join("families"), dir.join("layouts"));
            if !family_dir.is_dir() && !layout_dir.is_dir() {
                return Err(PromptError::NoOverrides { path: dir.to_owned() });
            }
            for_each_toml(&family_dir, add_family)?;
            for_each_toml(&layout_dir, add_layout)?;
        }
        let mut prompts = Self {
            families,
            roles_systems: layouts
                .iter()
                .map(|(layout, (_, file))| (*layout, file.roles_system))
                .collect(),
            templates: environment(),
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

/// Hands every TOML file of a folder over, in the order of their names; a folder that is absent has none.
fn for_each_toml(dir: &Path, mut read: impl FnMut(&Path, &str) -> Result<(), PromptError>) -> Result<(), PromptError> {
    if !dir.is_dir() {
        return Ok(());
    }
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| PromptError::Read { path, source }
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed(dir))? {
        paths.push(entry.map_err(failed(dir))?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort_unstable();
    for path in paths {
        let text = fs::read_to_string(&path).map_err(failed(&path))?;
        read(&path, &text)?;
    }
    Ok(())
}
