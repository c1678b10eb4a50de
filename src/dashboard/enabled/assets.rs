//! The files of the pages, embedded and compressed once.

use std::io::Write;
use std::sync::LazyLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

/// The name, the content type and the content of each file. The build of the web pages writes the list.
static FILES: &[(&str, &str, &[u8])] = include!("../assets/files.in");

/// The page at every address of the dashboard.
pub(super) const INDEX: &str = "index.html";

/// A file of the pages.
pub(super) struct Asset {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) plain: Bytes,
    /// `None` if it would not be smaller.
    pub(super) gzip: Option<Bytes>,
}

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    let files = FILES.iter().map(|(name, content_type, content)| Asset {
        name,
        content_type,
        plain: Bytes::from_static(content),
        gzip: gzip(content).filter(|smaller| smaller.len() < content.len()),
    });
    files.collect()
});

/// Returns the file with exactly this name. The first call compresses all files.
pub(super) fn asset(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

fn gzip(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).ok()?;
    Some(encoder.finish().ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The limit is that of a first visit.
    #[test]
    fn all_files_are_small_and_the_page_has_no_inline_code() {
        let index = asset(INDEX).unwrap();
        assert!(index.content_type.starts_with("text/html"));
        let compressed: usize = ASSETS
            .iter()
            .map(|it| it.gzip.as_ref().unwrap_or(&it.plain).len())
            .sum();
        println!("{} files, {compressed} bytes compressed", ASSETS.len());
        assert!(compressed <= 120 * 1024);
        let html = std::str::from_utf8(&index.plain)
            .unwrap()
            .to_ascii_lowercase();
        for forbidden in [
            "<style",
            " style=",
            "javascript:",
            " onload=",
            " onclick=",
            "http://",
            "https://",
        ] {
            assert!(!html.contains(forbidden), "{forbidden}");
        }
        for script in html.split("<script").skip(1) {
            let (attributes, rest) = script.split_once('>').unwrap();
            assert!(attributes.contains("src="), "{attributes}");
            assert!(rest.trim_start().starts_with("</script>"), "{rest}");
        }
        assert!(asset("../Cargo.toml").is_none() && asset("").is_none());
    }
}
