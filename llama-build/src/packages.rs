//! What system package managers are called, and what they call the packages.

/// System package managers whose commands a hint can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// Debian, Ubuntu.
    Apt,
    /// Fedora, RHEL.
    Dnf,
    /// macOS.
    Brew,
    /// Arch.
    Pacman,
    /// Windows.
    Winget,
}

impl Manager {
    /// Every manager, in the order in which they are looked for.
    pub const ALL: [Self; 5] = [Self::Apt, Self::Dnf, Self::Brew, Self::Pacman, Self::Winget];

    /// The program.
    #[must_use]
    pub fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
            Self::Brew => "brew",
            Self::Pacman => "pacman",
            Self::Winget => "winget",
        }
    }

    /// Words before the package names: `apt-get install`.
    #[must_use]
    pub fn install(self) -> &'static str {
        match self {
            Self::Apt => "apt-get install",
            Self::Dnf => "dnf install",
            Self::Brew => "brew install",
            Self::Pacman => "pacman -S",
            Self::Winget => "winget install",
        }
    }

    /// Whether root has to type that; Homebrew refuses root.
    #[must_use]
    pub fn needs_root(self) -> bool {
        !matches!(self, Self::Brew | Self::Winget)
    }
}

/// Package names by manager, in the order of [`Manager::ALL`]; empty: it has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packages(pub [&'static str; 5]);

impl Packages {
    /// The packages of `manager`, separated by spaces, if it has any.
    #[must_use]
    pub fn of(self, manager: Manager) -> Option<&'static str> {
        let index = Manager::ALL.iter().position(|known| *known == manager)?;
        Some(self.0[index]).filter(|packages| !packages.is_empty())
    }
}
