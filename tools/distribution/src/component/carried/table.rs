//! Somebody else's code in llama.cpp's tree that every distribution has compiled in: what it is, and in
//! which file its version and its licence stand. `THIRD-PARTY.md` has the parts that no variant has, too.

use super::super::Group;

/// Where a licence stands.
pub(super) enum License {
    /// It is a file.
    File(&'static str),
    /// It is the comment with these words in a file.
    Comment(&'static str, &'static str),
    /// The file only names the owner and the MIT licence.
    Mit,
}

pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) group: Group,
    /// SPDX expression.
    pub(super) spdx: &'static str,
    /// Nothing: llama.cpp's own.
    pub(super) license: &'static [License],
    /// A file and the words before each part of the version; no words: it states none.
    pub(super) version: (&'static str, &'static [&'static str]),
    /// Package URL, without its beginning and version.
    pub(super) purl: &'static str,
    /// What stands between that and the version; nothing where versions have no tags.
    pub(super) tag: &'static str,
}

pub(super) const TABLE: &[Row] = &[
    Row {
        name: "ggml",
        group: Group::Carried,
        spdx: "MIT",
        license: &[],
        version: (
            "ggml/CMakeLists.txt",
            &["set(GGML_VERSION_MAJOR", "set(GGML_VERSION_MINOR", "set(GGML_VERSION_PATCH"],
        ),
        purl: "github/ggml-org/ggml",
        tag: "@v",
    },
    Row {
        name: "cpp-httplib",
        group: Group::Carried,
        spdx: "MIT",
        license: &[License::File("vendor/cpp-httplib/LICENSE")],
        version: ("vendor/cpp-httplib/httplib.h", &["#define CPPHTTPLIB_VERSION"]),
        purl: "github/yhirose/cpp-httplib",
        tag: "@v",
    },
    Row {
        name: "nlohmann-json",
        group: Group::Carried,
        spdx: "MIT",
        license: &[License::File("licenses/LICENSE-jsonhpp")],
        version: (
            "vendor/nlohmann/json.hpp",
            &[
                "#define NLOHMANN_JSON_VERSION_MAJOR",
                "#define NLOHMANN_JSON_VERSION_MINOR",
                "#define NLOHMANN_JSON_VERSION_PATCH",
            ],
        ),
        purl: "github/nlohmann/json",
        tag: "@v",
    },
    Row {
        name: "miniaudio",
        group: Group::Carried,
        spdx: "Unlicense OR MIT-0",
        license: &[License::Comment(
            "vendor/miniaudio/miniaudio.h",
            "choice of the following licenses",
        )],
        version: ("vendor/miniaudio/miniaudio.h", &["miniaudio - v"]),
        purl: "github/mackron/miniaudio",
        tag: "@",
    },
    Row {
        name: "stb_image",
        group: Group::Carried,
        spdx: "MIT OR Unlicense",
        license: &[License::Comment("vendor/stb/stb_image.h", "available under 2 licenses")],
        version: ("vendor/stb/stb_image.h", &["stb_image - v"]),
        purl: "github/nothings/stb",
        tag: "",
    },
    Row {
        name: "subprocess.h",
        group: Group::Carried,
        spdx: "Unlicense",
        license: &[License::Comment("vendor/sheredom/subprocess.h", "free and unencumbered")],
        version: ("", &[]),
        purl: "github/sheredom/subprocess.h",
        tag: "",
    },
    Row {
        name: "xxhash",
        group: Group::Carried,
        spdx: "BSD-2-Clause",
        license: &[License::File("vendor/hash/xxhash/LICENSE")],
        version: (
            "vendor/hash/xxhash/xxhash.h",
            &[
                "#define XXH_VERSION_MAJOR",
                "#define XXH_VERSION_MINOR",
                "#define XXH_VERSION_RELEASE",
            ],
        ),
        purl: "github/Cyan4973/xxHash",
        tag: "@v",
    },
    Row {
        name: "sha1",
        group: Group::Carried,
        spdx: "LicenseRef-public-domain-sha1",
        license: &[License::Comment("vendor/hash/sha1/sha1.c", "100% Public Domain")],
        version: ("", &[]),
        purl: "github/clibs/sha1",
        tag: "",
    },
    Row {
        name: "sha256",
        group: Group::Carried,
        spdx: "LicenseRef-public-domain-sha256",
        license: &[License::Comment("vendor/hash/sha256/sha256.c", "Public domain")],
        version: ("", &[]),
        purl: "github/jb55/sha256.c",
        tag: "",
    },
    Row {
        name: "rotate-bits",
        group: Group::Carried,
        spdx: "MIT",
        license: &[License::File("vendor/hash/rotate-bits/LICENSE.md")],
        version: ("", &[]),
        purl: "github/jb55/rotate-bits.h",
        tag: "",
    },
    Row {
        name: "base64.hpp",
        group: Group::Carried,
        spdx: "Unlicense",
        license: &[License::Comment("common/base64.hpp", "free and unencumbered")],
        version: ("", &[]),
        purl: "github/tobiaslocker/base64",
        tag: "",
    },
    Row {
        name: "llamafile",
        group: Group::Carried,
        spdx: "MIT",
        license: &[License::Comment("ggml/src/ggml-cpu/llamafile/sgemm.cpp", "Mozilla Foundation")],
        version: ("", &[]),
        purl: "github/Mozilla-Ocho/llamafile",
        tag: "",
    },
    Row {
        name: "yarn",
        group: Group::Carried,
        spdx: "MIT",
        license: &[
            License::Comment("ggml/src/ggml-cpu/ops.cpp", "Jeffrey Quesnelle"),
            License::Mit,
        ],
        version: ("", &[]),
        purl: "github/jquesnelle/yarn",
        tag: "",
    },
    Row {
        name: "nerdamer-prime",
        group: Group::Page,
        spdx: "MIT",
        license: &[License::File("tools/ui/src/lib/vendors/nerdamer-prime/LICENSE")],
        version: ("tools/ui/src/lib/vendors/nerdamer-prime/nerdamer.core.js", &["version: '"]),
        purl: "github/together-science/nerdamer-prime",
        tag: "@",
    },
    Row {
        name: "decimal.js",
        group: Group::Page,
        spdx: "MIT",
        license: &[License::File("tools/ui/src/lib/vendors/decimal.js/LICENCE.md")],
        version: ("tools/ui/src/lib/vendors/decimal.js/decimal.js", &["decimal.js v"]),
        purl: "npm/decimal.js",
        tag: "@",
    },
    Row {
        name: "big-integer",
        group: Group::Page,
        spdx: "Unlicense",
        license: &[License::File("tools/ui/src/lib/vendors/big-integer/LICENSE")],
        version: ("", &[]),
        purl: "npm/big-integer",
        tag: "",
    },
];
