//! The functions that run inside Redis.
//!
//! Their names carry a digest of the text, so that two versions of the switch can run side by
//! side over the same data; a change of what the rows look like changes `layout::FORMAT` too.

use std::sync::LazyLock;

static TEXT: &str = concat!(
    include_str!("lua/rows.lua"),
    include_str!("lua/keys.lua"),
    include_str!("lua/early.lua"),
    include_str!("lua/settle.lua"),
    include_str!("lua/decide.lua"),
    include_str!("lua/rebuild.lua"),
);

/// The library of this build.
pub(crate) static LIBRARY: LazyLock<Library> = LazyLock::new(Library::new);

pub(crate) struct Library {
    pub name: String,
    /// What `FUNCTION LOAD` takes.
    pub code: String,
    names: Vec<String>,
}

/// One function of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    Reserve,
    Withhold,
    Forestall,
    Greet,
    Balance,
    FindKey,
    GiveBack,
    TakeBack,
    ReleaseClaim,
    Claims,
    Sweep,
    Begin,
    Marks,
    Clear,
    Regrant,
    SetMark,
    Load,
    Publish,
}

const NAMES: [&str; 18] = [
    "reserve",
    "withhold",
    "forestall",
    "greet",
    "balance",
    "find_key",
    "give_back",
    "take_back",
    "release_claim",
    "claims",
    "sweep",
    "begin",
    "marks",
    "clear",
    "regrant",
    "set_mark",
    "load",
    "publish",
];

impl Library {
    fn new() -> Self {
        let digest = router::message::digest128(&[TEXT.as_bytes()]);
        let version = format!("{:08x}", digest >> 96);
        let name = format!("cauce_{version}");
        let code = format!("#!lua name={name}\n{}", TEXT.replace("VERSION", &version));
        let names = NAMES.iter().map(|function| format!("{name}_{function}")).collect();
        Self { name, code, names }
    }

    pub fn function(&self, function: Function) -> &str {
        &self.names[function as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_registered_under_its_name() {
        for name in NAMES {
            assert!(TEXT.contains(&format!("register('{name}', {name}, ")), "{name}");
        }
        assert_eq!(TEXT.matches("\nregister('").count(), NAMES.len());
        assert!(LIBRARY.function(Function::Publish).ends_with("_publish"));
        assert!(LIBRARY.function(Function::GiveBack).ends_with("_give_back"));
        assert!(LIBRARY.code.contains(&format!(
            "'{}' .. name",
            LIBRARY.function(Function::Load).strip_suffix("load").unwrap()
        )));
    }
}
