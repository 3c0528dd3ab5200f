//! Compares what `jpeg` reads and writes with the tools of libjpeg-turbo: cjpeg, djpeg and jpegtran.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use defender::jpeg::coefficients::Reader;
use defender::jpeg::dc::{DcPlane, DcReader, Planes};
use defender::jpeg::edit::{Edit, Editor};
use defender::jpeg::error::{JpegError, Unsupported};
use defender::jpeg::header::Limits;
use defender::jpeg::mask::Mask;
use defender::jpeg::stamp::Stamp;
use defender::jpeg::turn::Turn;
use defender::jpeg::variant::{Variant, VariantMaker};
use defender::media::Corner;
use defender::media::Scale;
use defender::media::{Flip, Rotation};

const LIMITS: Limits = Limits { max_pixels: 1 << 20 };

/// Sampling factors, as cjpeg takes them.
const SAMPLINGS: [&[&str]; 7] = [
    &["-sample", "1x1"],
    &["-sample", "2x1"],
    &["-sample", "1x2"],
    &["-sample", "2x2"],
    &["-sample", "4x1"],
    &["-rgb"],
    &["-grayscale"],
];

/// Multiples of every unit, and not.
const SIZES: [(usize, usize); 3] = [(64, 96), (70, 50), (129, 131)];

/// What cameras' frames differ in.
const KINDS: [&[&str]; 6] = [
    &["-quality", "75"],
    &["-quality", "97", "-restart", "1"],
    &["-quality", "60", "-restart", "3B"],
    &["-quality", "30", "-optimize"],
    &["-quality", "85", "-optimize", "-restart", "2B"],
    // Steps of more than a byte, so that it is of the extended process (SOF1).
    &["-quality", "20"],
];

/// The turns, and what jpegtran calls them.
fn turns() -> [(Turn, &'static [&'static str]); 7] {
    [
        (Turn::new(Rotation::Right, Flip::None), &["-rotate", "90"]),
        (Turn::new(Rotation::Around, Flip::None), &["-rotate", "180"]),
        (Turn::new(Rotation::Left, Flip::None), &["-rotate", "270"]),
        (Turn::new(Rotation::None, Flip::Horizontal), &["-flip", "horizontal"]),
        (Turn::new(Rotation::None, Flip::Vertical), &["-flip", "vertical"]),
        (Turn::new(Rotation::Right, Flip::Horizontal), &["-transpose"]),
        (Turn::new(Rotation::Right, Flip::Vertical), &["-transverse"]),
    ]
}

/// What the tools say of each picture of the extended process.
const IS_EXTENDED: &str = "Caution: quantization tables are too coarse for baseline JPEG";

/// What a tool makes of its standard input. It must not complain.
fn tool(name: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(name);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}; run `make deps`"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let is_silent = said.trim().is_empty() || said.trim() == IS_EXTENDED;
    assert!(output.status.success() && is_silent, "{name} {arguments:?}: {said}");
    output.stdout
}

/// A picture with smooth areas, edges and some noise.
fn pixels((width, height): (usize, usize)) -> Vec<u8> {
    let mut ppm = format!("P6\n{width} {height}\n255\n").into_bytes();
    let mut state = 0x9e37_79b9_u32;
    for y in 0..height {
        for x in 0..width {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let is_inside = (x * 3 / width + y * 5 / height) % 2 == 0;
            let base = if is_inside { 40 + x * 150 / width } else { 220 - y * 160 / height };
            let noise = (state % 7) as usize;
            ppm.extend(
                [base + noise, (base + y) % 256, 255 - base + noise].map(|value| value.min(255) as u8),
            );
        }
    }
    ppm
}

fn jpeg(size: (usize, usize), sampling: &[&str], kind: &[&str]) -> Vec<u8> {
    tool("cjpeg", &[sampling, kind].concat(), &pixels(size))
}

/// Each picture of the matrix, with its name.
fn pictures() -> impl Iterator<Item = (String, Vec<u8>)> {
    let sampled = SAMPLINGS.iter().flat_map(|sampling| SIZES.iter().map(move |size| (sampling, size)));
    // Every sampling and every size with some of the kinds.
    let all = sampled.enumerate().flat_map(|(number, (sampling, size))| {
        [number % KINDS.len(), (number + 2) % KINDS.len()].map(|kind| (*sampling, *size, KINDS[kind]))
    });
    all.map(|(sampling, size, kind)| (format!("{size:?} {sampling:?} {kind:?}"), jpeg(size, sampling, kind)))
}

fn edited(jpeg: &[u8], edit: &Edit<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    Editor::new().apply(jpeg, LIMITS, edit, &mut out).expect("edited");
    out
}

fn variant(jpeg: &[u8], scale: Scale, quality: Option<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    VariantMaker::new().make(jpeg, LIMITS, &Variant { scale, quality }, &mut out).expect("made");
    out
}

/// Component, column, row, and the coefficients.
type Block = (usize, usize, usize, [i16; 64]);

fn blocks(jpeg: &[u8]) -> Vec<Block> {
    let mut reader = Reader::new();
    let read = reader.read(jpeg, LIMITS).expect("read");
    let mut all = Vec::new();
    for (component, (columns, rows)) in read.planes().enumerate() {
        for row in 0..rows {
            all.extend(
                (0..columns).map(|column| (component, column, row, read.block(component, column, row))),
            );
        }
    }
    all
}

/// Width, height and samples of a grey or coloured picture as djpeg writes it.
fn samples(pnm: &[u8]) -> ((usize, usize), &[u8]) {
    let mut lines = pnm.splitn(4, |&byte| byte == b'\n');
    let mut line = || lines.next().unwrap();
    let (_, size, _) = (line(), line(), line());
    let mut sides = str::from_utf8(size).unwrap().split(' ').map(|side| side.parse().unwrap());
    ((sides.next().unwrap(), sides.next().unwrap()), line())
}

/// The peak signal-to-noise ratio of two pictures of the same size, in decibel.
fn psnr(one: &[u8], other: &[u8]) -> f64 {
    let ((size, one), (other_size, other)) = (samples(one), samples(other));
    assert_eq!(size, other_size);
    let squares = one.iter().zip(other).map(|(&one, &other)| f64::from(one.abs_diff(other)).powi(2));
    let mean = squares.sum::<f64>() / one.len() as f64;
    10.0 * (255.0 * 255.0 / mean).log10()
}

#[test]
fn what_is_read_and_written_is_the_same_file() {
    for (name, jpeg) in pictures() {
        assert_eq!(jpeg.windows(2).any(|bytes| bytes == [0xFF, 0xC1]), name.contains("20"), "{name}: SOF1");
        assert!(edited(&jpeg, &Edit::default()) == jpeg, "{name}");
        let turn = Turn::new(Rotation::None, Flip::Horizontal);
        // Tables made for one picture may lack what another one needs.
        if name.starts_with("(64, 96)") && !name.contains("optimize") {
            let there = edited(&jpeg, &Edit { turn, ..Edit::default() });
            assert!(edited(&there, &Edit { turn, ..Edit::default() }) == jpeg, "{name}: there and back");
        }
    }
}

#[test]
fn turns_are_those_of_jpegtran() {
    for (name, jpeg) in pictures() {
        for (turn, arguments) in turns() {
            let ours = edited(&jpeg, &Edit { turn, ..Edit::default() });
            let theirs = tool("jpegtran", &[arguments, &["-trim", "-copy", "all"]].concat(), &jpeg);
            assert!(blocks(&ours) == blocks(&theirs), "{name} {arguments:?}");
            let decoded = tool("djpeg", &[], &ours);
            assert!(decoded == tool("djpeg", &[], &theirs), "{name} {arguments:?}: decoded");
        }
    }
}

#[test]
fn ffmpeg_decodes_every_kind_of_edited_picture() {
    let ffmpeg = |jpeg: &[u8]| {
        let arguments = ["-v", "error", "-f", "mjpeg", "-i", "-", "-f", "rawvideo", "-pix_fmt", "gray", "-"];
        tool("ffmpeg", &arguments, jpeg)
    };
    // ffmpeg shows red, green and blue as they are, and weighs their brightness otherwise.
    for (name, jpeg) in pictures().filter(|(name, _)| !name.contains("rgb")) {
        for (turn, arguments) in turns() {
            let turned = edited(&jpeg, &Edit { turn, ..Edit::default() });
            for scale in [Scale::Whole, Scale::Half] {
                let made = variant(&turned, scale, Some(60));
                let pgm = tool("djpeg", &["-grayscale"], &made);
                let ((width, height), expected) = samples(&pgm);
                let found = ffmpeg(&made);
                assert_eq!(found.len(), width * height, "{name} {arguments:?} {scale:?}");
                let header = format!("P5\n{width} {height}\n255\n");
                let found = [header.as_bytes(), &found].concat();
                assert!(psnr(&found, &pgm) >= 38.0, "{name} {arguments:?} {scale:?}: {}", expected.len());
            }
        }
    }
}

#[test]
fn a_picture_of_several_scans_is_turned_too() {
    let folder = tempfile::tempdir().unwrap();
    for (number, scans) in ["0;\n1;\n2;\n", "0;\n1 2;\n", "0 1;\n2;\n"].iter().enumerate() {
        let script = folder.path().join(number.to_string());
        fs::write(&script, scans).unwrap();
        let script = ["-scans", script.to_str().unwrap()];
        for (size, sampling, kind) in [(SIZES[1], SAMPLINGS[3], KINDS[2]), (SIZES[2], SAMPLINGS[1], KINDS[0])]
        {
            let jpeg = tool("cjpeg", &[&script, sampling, kind].concat(), &pixels(size));
            assert!(blocks(&edited(&jpeg, &Edit::default())) == blocks(&jpeg), "{scans:?}");
            assert!(tool("djpeg", &[], &edited(&jpeg, &Edit::default())) == tool("djpeg", &[], &jpeg));
            for (turn, arguments) in turns() {
                let ours = edited(&jpeg, &Edit { turn, ..Edit::default() });
                let theirs = tool("jpegtran", &[arguments, &["-trim"]].concat(), &jpeg);
                assert!(blocks(&ours) == blocks(&theirs), "{scans:?} {arguments:?}");
            }
        }
    }
}

#[test]
fn pictures_that_cannot_be_changed_say_why() {
    for (argument, kind) in
        [("-progressive", Unsupported::Progressive), ("-arithmetic", Unsupported::Arithmetic)]
    {
        let jpeg = tool("cjpeg", &[argument], &pixels((64, 48)));
        let error = Reader::new().read(&jpeg, LIMITS).err();
        assert_eq!(error, Some(JpegError::Unsupported(kind)), "{argument}");
    }
}

#[test]
fn a_plane_of_dc_is_the_picture_at_an_eighth() {
    for (name, jpeg) in pictures().filter(|(name, _)| !name.contains("rgb")) {
        let mut planes = Vec::new();
        DcReader::new().read(&jpeg, LIMITS, Planes::Luma, &mut planes).unwrap();
        let decoded = tool("djpeg", &["-grayscale", "-scale", "1/8"], &jpeg);
        let (size, decoded) = samples(&decoded);
        assert_eq!((planes[0].width, planes[0].height), size, "{name}");
        let means: Vec<u8> = planes[0].eighths.iter().map(|&eighths| DcPlane::rounded(eighths)).collect();
        assert!(means == decoded, "{name}");
    }
}

#[test]
fn smaller_pictures_look_as_those_of_djpeg() {
    for (name, jpeg) in pictures().filter(|(name, _)| !name.contains("rgb")) {
        for (scale, argument) in [(Scale::Half, "1/2"), (Scale::Quarter, "1/4"), (Scale::Eighth, "1/8")] {
            let theirs = tool("djpeg", &["-grayscale", "-scale", argument], &jpeg);
            // What a stream without a quality gives, too, of cameras that do not compress much more than usual.
            let is_usual = !["20", "30", "60"].iter().any(|quality| name.contains(quality));
            for quality in [Some(96)].into_iter().chain(is_usual.then_some(None)) {
                let decoded = tool("djpeg", &["-grayscale"], &variant(&jpeg, scale, quality));
                let psnr = psnr(&decoded, &theirs);
                assert!(psnr >= 38.0, "{name} {argument} {quality:?}: {psnr}");
            }
        }
    }
}

#[test]
fn a_lower_quality_looks_as_one_of_cjpeg() {
    let size = SIZES[2];
    let jpeg = jpeg(size, SAMPLINGS[3], &["-quality", "92"]);
    let original = tool("djpeg", &[], &jpeg);
    for quality in [20, 50, 75] {
        let ours = variant(&jpeg, Scale::Whole, Some(quality));
        let theirs = tool("cjpeg", &["-baseline", "-quality", &quality.to_string()], &original);
        let (our_psnr, their_psnr) =
            (psnr(&tool("djpeg", &[], &ours), &original), psnr(&tool("djpeg", &[], &theirs), &original));
        assert!(our_psnr > their_psnr - 0.5, "{quality}: {our_psnr} and {their_psnr}");
        assert!(ours.len() < theirs.len() * 21 / 20, "{quality}: {} and {} bytes", ours.len(), theirs.len());
    }
    assert!(blocks(&variant(&jpeg, Scale::Whole, Some(99))) == blocks(&jpeg), "no finer than it is");
}

/// What is under a mask is one value in what djpeg decodes, and all other blocks are as they were.
#[test]
fn a_mask_is_flat_and_the_rest_is_unchanged() {
    let mask =
        Mask { polygons: vec![vec![(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]], level: 128 };
    for (name, jpeg) in pictures() {
        let masked = edited(&jpeg, &Edit { mask: Some(&mask), ..Edit::default() });
        let (before, after) = (blocks(&jpeg), blocks(&masked));
        assert!(before.iter().zip(&after).all(|(one, other)| other.3 == [0; 64] || one == other), "{name}");
        let decoded = tool("djpeg", &[], &masked);
        let ((width, height), pixels) = samples(&decoded);
        let bytes = pixels.len() / width / height;
        for y in height.div_ceil(4)..height * 3 / 4 {
            for x in width.div_ceil(4)..width * 3 / 4 {
                assert_eq!(pixels[(y * width + x) * bytes..][..1], [128], "{name}: {x}, {y}");
            }
        }
    }
}

#[test]
fn lettering_is_seen_as_it_was_drawn() {
    // Strokes of two pixels on a dark ground.
    let grey: Vec<u8> =
        (0..48 * 16).map(|at| if at % 48 / 2 % 3 == 0 && at / 48 % 15 > 2 { 235 } else { 16 }).collect();
    let stamp = [Stamp { corner: Corner::TopLeft, width: 48, grey: grey.clone() }];
    let drawn = [&b"P5\n48 16\n255\n"[..], &grey].concat();
    for sampling in [SAMPLINGS[0], SAMPLINGS[1], SAMPLINGS[3]] {
        let jpeg = jpeg((129, 131), sampling, KINDS[0]);
        for (turn, _) in turns() {
            let stamped = edited(&jpeg, &Edit { turn, stamps: &stamp, ..Edit::default() });
            let cropped = tool("djpeg", &["-grayscale"], &stamped);
            let ((width, _), pixels) = samples(&cropped);
            let corner: Vec<u8> = pixels.chunks(width).take(16).flat_map(|row| row[..48].to_vec()).collect();
            let seen = [&b"P5\n48 16\n255\n"[..], &corner].concat();
            let psnr = psnr(&seen, &drawn);
            assert!(psnr > 27.0, "{sampling:?} {turn:?}: {psnr}");
        }
    }
}

#[test]
fn ffmpeg_decodes_everything_without_a_complaint() {
    let mask = Mask { polygons: vec![vec![(0.1, 0.1), (0.5, 0.2), (0.3, 0.6)]], level: 16 };
    let stamps = [Stamp { corner: Corner::BottomRight, width: 20, grey: vec![200; 20 * 9] }];
    for sampling in &SAMPLINGS[..4] {
        let jpeg = jpeg(SIZES[2], sampling, KINDS[1]);
        let mut all: Vec<Vec<u8>> = turns()
            .iter()
            .map(|&(turn, _)| edited(&jpeg, &Edit { turn, mask: Some(&mask), stamps: &stamps }))
            .collect();
        for scale in [Scale::Whole, Scale::Half, Scale::Quarter, Scale::Eighth] {
            all.push(variant(&jpeg, scale, Some(40)));
        }
        let arguments = ["-v", "error", "-f", "mjpeg", "-i", "-", "-f", "null", "-"];
        all.iter().for_each(|jpeg| drop(tool("ffmpeg", &arguments, jpeg)));
    }
}
