//! What kind of model lies in a folder, and whether it is fit to be loaded. sherpa-onnx ends the
//! whole process over a bad model, so everything that can be looked at beforehand is.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Setting;
use super::onnx::Onnx;
use super::tokens::Tokens;
use crate::speech::SpeechError;

/// The forms of model that sherpa-onnx knows and Hotline uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Whatever lies in the folder, if that is one thing.
    #[default]
    Auto,
    /// A transducer of icefall (zipformer, conformer) for whole utterances.
    Transducer,
    /// A transducer of NeMo for whole utterances, such as parakeet-tdt.
    NemoTransducer,
    /// Whisper.
    Whisper,
    /// Canary of NeMo.
    Canary,
    /// A CTC model of NeMo for whole utterances.
    NemoCtc,
    /// A CTC zipformer for whole utterances.
    ZipformerCtc,
    /// A CTC model of WeNet for whole utterances.
    WenetCtc,
    /// A time-delay network with CTC for whole utterances.
    Tdnn,
    /// A transducer that takes a stream.
    StreamingTransducer,
    /// A CTC zipformer that takes a stream.
    StreamingZipformerCtc,
    /// A CTC model of NeMo that takes a stream.
    StreamingNemoCtc,
}

impl Kind {
    /// Tells whether it makes out words while the caller speaks.
    pub(super) fn is_streaming(self) -> bool {
        matches!(
            self,
            Self::StreamingTransducer | Self::StreamingZipformerCtc | Self::StreamingNemoCtc
        )
    }

    /// Tells whether one model can decode several recordings at the same moment. Two kinds keep
    /// their settings of the moment in the model.
    pub(super) fn is_shared(self) -> bool {
        !matches!(self, Self::Whisper | Self::Canary)
    }

    /// Tells whether the times of words are right: sherpa-onnx does not know how many frames a
    /// time-delay network takes together.
    pub(super) fn has_times(self) -> bool {
        self != Self::Tdnn
    }

    /// Tells whether phrases can be made likelier.
    pub(super) fn takes_hints(self) -> bool {
        matches!(self, Self::Transducer | Self::NemoTransducer)
    }

    fn name(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|name| name.as_str().map(str::to_owned))
            .unwrap_or_default()
    }

    /// The metadata without which sherpa-onnx ends the process: of the first file, of the decoder.
    fn needs(self) -> (&'static [&'static str], &'static [&'static str]) {
        match self {
            Self::Auto | Self::ZipformerCtc => (&[], &[]),
            Self::Transducer => (&[], &["vocab_size", "context_size"]),
            Self::NemoTransducer => (
                &[
                    "vocab_size",
                    "subsampling_factor",
                    "pred_rnn_layers",
                    "pred_hidden",
                ],
                &[],
            ),
            Self::Whisper => (
                &[
                    "n_mels",
                    "n_text_layer",
                    "n_text_ctx",
                    "n_text_state",
                    "n_vocab",
                    "sot",
                    "eot",
                    "blank_id",
                    "translate",
                    "transcribe",
                    "is_multilingual",
                    "no_timestamps",
                    "no_speech",
                    "sot_sequence",
                ],
                &[],
            ),
            Self::Canary => (
                &["model_type", "vocab_size", "subsampling_factor", "feat_dim"],
                &[],
            ),
            Self::NemoCtc | Self::WenetCtc => (&["vocab_size", "subsampling_factor"], &[]),
            Self::Tdnn => (&["vocab_size"], &[]),
            // Those of NeMo have no model_type and other needs; they are told apart below.
            Self::StreamingTransducer => (&[], &[]),
            Self::StreamingZipformerCtc => (
                &[
                    "encoder_dims",
                    "query_head_dims",
                    "value_head_dims",
                    "num_heads",
                    "num_encoder_layers",
                    "cnn_module_kernels",
                    "left_context_len",
                    "T",
                    "decode_chunk_len",
                ],
                &[],
            ),
            Self::StreamingNemoCtc => (
                &[
                    "window_size",
                    "chunk_shift",
                    "subsampling_factor",
                    "vocab_size",
                    "cache_last_channel_dim1",
                    "cache_last_channel_dim2",
                    "cache_last_channel_dim3",
                    "cache_last_time_dim1",
                    "cache_last_time_dim2",
                    "cache_last_time_dim3",
                ],
                &[],
            ),
        }
    }
}

/// A model that was looked through.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) kind: Kind,
    /// The only file of the network, or its encoder.
    pub(super) network: PathBuf,
    /// The other parts of the network; empty where there is none.
    pub(super) decoder: PathBuf,
    pub(super) joiner: PathBuf,
    pub(super) tokens: PathBuf,
    /// The pieces of words, for hints.
    pub(super) bpe_vocab: Option<PathBuf>,
    /// The sampling rate in Hz and the bands of the features, where the network tells them.
    pub(super) rate: Option<u32>,
    pub(super) features: Option<u32>,
}

const REMEDY: &str = "unpack a complete sherpa-onnx model there, name its folder, and see `hotline \
                      models` for those that are known";

/// Looks through a folder.
///
/// # Errors
/// When it holds no model of that kind, more than one, or one that is damaged or incomplete.
pub(super) fn look_through(
    folder: &Path,
    wanted: Kind,
    setting: &Setting,
) -> Result<Found, SpeechError> {
    let lacks = |missing: String| SpeechError::BadModel {
        setting: setting.field("model"),
        folder: folder.to_owned(),
        missing,
        remedy: REMEDY,
    };
    if !folder.is_dir() {
        return Err(lacks("everything (there is no such folder)".to_owned()));
    }
    let files =
        Files::list(folder).map_err(|error| lacks(format!("a readable folder ({error})")))?;
    let mut candidates = files.candidates().map_err(lacks)?;
    if wanted != Kind::Auto {
        // Networks that say nothing of themselves are what the admin says.
        candidates.retain(|it| it.kind == wanted || it.kind == Kind::Auto && it.could_be(wanted));
        for candidate in &mut candidates {
            candidate.kind = wanted;
        }
    }
    let candidate = match candidates.len() {
        0 if files.networks.is_empty() => return Err(lacks("any file *.onnx".to_owned())),
        0 => return Err(lacks(format!("a network of the kind {}", wanted.name()))),
        1 => candidates.remove(0),
        _ => {
            let kinds: Vec<String> = candidates.iter().map(|it| it.kind.name()).collect();
            return Err(lacks(format!(
                "a single network: it holds {}, so say which by `kind`",
                kinds.join(" and ")
            )));
        }
    };
    if candidate.kind == Kind::Auto {
        return Err(lacks(
            "metadata that tells what kind of network it is, so say it by `kind`".to_owned(),
        ));
    }
    candidate.check(&files).map_err(lacks)
}

/// The files of a folder that matter.
struct Files {
    networks: Vec<PathBuf>,
    tokens: Option<PathBuf>,
    bpe_vocab: Option<PathBuf>,
}

impl Files {
    fn list(folder: &Path) -> std::io::Result<Self> {
        let mut names: Vec<PathBuf> = std::fs::read_dir(folder)?
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| path.is_file())
            .collect();
        names.sort_unstable();
        let ends = |path: &&PathBuf, end: &str| name(path).ends_with(end);
        let tokens = names.iter().find(|path| name(path) == "tokens.txt");
        let tokens = tokens.or_else(|| names.iter().find(|path| ends(path, "-tokens.txt")));
        let all: Vec<&PathBuf> = names.iter().filter(|path| ends(path, ".onnx")).collect();
        // Of two that differ in precision only, the small one is the faster one on processors.
        let small = |path: &Path| path.with_file_name(format!("{}.int8.onnx", stem(path)));
        let networks = all
            .iter()
            .filter(|path| ends(path, ".int8.onnx") || !all.contains(&&small(path)))
            .map(|path| (*path).clone())
            .collect();
        Ok(Self {
            networks,
            tokens: tokens.cloned(),
            bpe_vocab: names.iter().find(|path| name(path) == "bpe.vocab").cloned(),
        })
    }

    /// Returns the models that these files could be.
    fn candidates(&self) -> Result<Vec<Candidate>, String> {
        let part = |part: &str| self.networks.iter().find(|path| name(path).contains(part));
        let read = |path: &PathBuf| {
            Onnx::read(path).map_err(|error| format!("a whole {} ({error})", name(path)))
        };
        let (encoder, decoder, joiner) = (part("encoder"), part("decoder"), part("joiner"));
        if let (Some(encoder), Some(decoder)) = (encoder, decoder) {
            let head = read(encoder)?;
            let candidate = Candidate {
                kind: kind_of_parts(&head, joiner.is_some()),
                network: encoder.clone(),
                head,
                decoder: Some((decoder.clone(), read(decoder)?)),
                joiner: joiner
                    .map(|path| Ok::<_, String>((path.clone(), read(path)?)))
                    .transpose()?,
            };
            return Ok(vec![candidate]);
        }
        if encoder.or(decoder).or(joiner).is_some() {
            let lacking = if encoder.is_none() {
                "encoder"
            } else {
                "decoder"
            };
            return Err(format!("its *{lacking}*.onnx"));
        }
        let single = |path: &PathBuf| {
            let head = read(path)?;
            Ok(Candidate {
                kind: kind_of_single(&head),
                network: path.clone(),
                head,
                decoder: None,
                joiner: None,
            })
        };
        self.networks.iter().map(single).collect()
    }
}

struct Candidate {
    kind: Kind,
    network: PathBuf,
    head: Onnx,
    decoder: Option<(PathBuf, Onnx)>,
    joiner: Option<(PathBuf, Onnx)>,
}

impl Candidate {
    /// Tells whether a network in so many parts can be of a kind.
    fn could_be(&self, kind: Kind) -> bool {
        let parts = match kind {
            Kind::Transducer | Kind::NemoTransducer | Kind::StreamingTransducer => 3,
            Kind::Whisper | Kind::Canary => 2,
            _ => 1,
        };
        parts == 1 + usize::from(self.decoder.is_some()) + usize::from(self.joiner.is_some())
    }

    fn check(self, files: &Files) -> Result<Found, String> {
        let (of_head, of_decoder) = self.kind.needs();
        has_all(&self.network, &self.head, of_head)?;
        if let Some((path, decoder)) = &self.decoder {
            has_all(path, decoder, of_decoder)?;
        }
        let tokens = files.tokens.clone().ok_or("tokens.txt")?;
        let table = Tokens::read(&tokens).map_err(|why| format!("a sound tokens.txt ({why})"))?;
        table
            .fits(self.kind, self.vocabulary())
            .map_err(|why| format!("a fitting tokens.txt ({why})"))?;
        let path = |part: Option<(PathBuf, Onnx)>| part.map(|it| it.0).unwrap_or_default();
        Ok(Found {
            kind: self.kind,
            rate: self.head.number("sample_rate"),
            features: self.head.number("feature_dim"),
            network: self.network,
            decoder: path(self.decoder),
            joiner: path(self.joiner),
            tokens,
            bpe_vocab: files.bpe_vocab.clone(),
        })
    }

    /// Returns how many tokens the network can tell, where it says so.
    fn vocabulary(&self) -> Option<u32> {
        let of_decoder = self
            .decoder
            .as_ref()
            .and_then(|it| it.1.number("vocab_size"));
        self.head.number("vocab_size").or(of_decoder)
    }
}

fn has_all(path: &Path, onnx: &Onnx, keys: &[&str]) -> Result<(), String> {
    match keys
        .iter()
        .find(|key| onnx.get(key).is_none_or(str::is_empty))
    {
        Some(key) => Err(format!("`{key}` in the metadata of {}", name(path))),
        None => Ok(()),
    }
}

fn kind_of_parts(encoder: &Onnx, joiner: bool) -> Kind {
    let model_type = encoder.get("model_type").unwrap_or_default();
    let streams = ["decode_chunk_len", "window_size"];
    match (joiner, model_type) {
        (true, _) if streams.iter().any(|key| encoder.get(key).is_some()) => {
            Kind::StreamingTransducer
        }
        (true, of_nemo) if of_nemo.starts_with("EncDec") => Kind::NemoTransducer,
        (true, "zipformer" | "zipformer2" | "conformer") => Kind::Transducer,
        (false, whisper) if whisper.starts_with("whisper") => Kind::Whisper,
        (false, "EncDecMultiTaskModel") => Kind::Canary,
        _ => Kind::Auto,
    }
}

fn kind_of_single(network: &Onnx) -> Kind {
    if network.get("decode_chunk_len").is_some() {
        return Kind::StreamingZipformerCtc;
    }
    if network.get("window_size").is_some() {
        return Kind::StreamingNemoCtc;
    }
    match network.get("model_type").unwrap_or_default() {
        of_nemo if of_nemo.starts_with("EncDec") => Kind::NemoCtc,
        "zipformer2_ctc" => Kind::ZipformerCtc,
        "wenet_ctc" => Kind::WenetCtc,
        "tdnn" => Kind::Tdnn,
        _ => Kind::Auto,
    }
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Returns the name of a file without `.onnx`.
fn stem(path: &Path) -> String {
    name(path).trim_end_matches(".onnx").to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::onnx::tests::model;
    use super::*;
    use crate::words::Language;

    /// A folder of files to look through.
    struct Shelf(tempfile::TempDir);

    impl Shelf {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn put(self, name: &str, content: impl AsRef<[u8]>) -> Self {
            std::fs::write(self.0.path().join(name), content).unwrap();
            self
        }

        fn network(self, name: &str, metadata: &[(&str, &str)]) -> Self {
            self.put(name, model(metadata))
        }

        fn look(&self, kind: Kind) -> Result<Found, String> {
            let setting = Setting::ear(Language::DA, 0);
            look_through(self.0.path(), kind, &setting).map_err(|error| match error {
                SpeechError::BadModel {
                    missing, setting, ..
                } => {
                    assert_eq!(setting.to_string(), "speech.ears.da[0].model");
                    missing
                }
                other => panic!("{other}"),
            })
        }

        fn found(&self) -> Kind {
            self.look(Kind::Auto).unwrap().kind
        }

        fn lacks(&self) -> String {
            self.look(Kind::Auto).unwrap_err()
        }
    }

    const TDNN: &[(&str, &str)] = &[("model_type", "tdnn"), ("vocab_size", "2")];
    const STREAM: &[(&str, &str)] = &[
        ("model_type", "EncDecCTCModelBPE"),
        ("vocab_size", "1"),
        ("window_size", "25"),
        ("chunk_shift", "16"),
        ("subsampling_factor", "4"),
        ("cache_last_channel_dim1", "1"),
        ("cache_last_channel_dim2", "1"),
        ("cache_last_channel_dim3", "1"),
        ("cache_last_time_dim1", "1"),
        ("cache_last_time_dim2", "1"),
        ("cache_last_time_dim3", "1"),
    ];
    const TOKENS: &str = "<blk> 0\n\u{2581}ja 1\n";
    const PARAKEET: &[(&str, &str)] = &[
        ("model_type", "EncDecRNNTBPEModel"),
        ("vocab_size", "1"),
        ("subsampling_factor", "8"),
        ("pred_rnn_layers", "2"),
        ("pred_hidden", "640"),
    ];

    fn parakeet() -> Shelf {
        Shelf::new()
            .network("encoder.int8.onnx", PARAKEET)
            .network("decoder.int8.onnx", &[])
            .network("joiner.int8.onnx", &[])
            .put("tokens.txt", "\u{2581}ja 0\n<blk> 1\n")
    }

    #[test]
    fn the_kind_of_a_model_is_told_by_its_files() {
        assert_eq!(parakeet().found(), Kind::NemoTransducer);
        let one = Shelf::new()
            .network("model.onnx", TDNN)
            .put("tokens.txt", TOKENS);
        assert_eq!(one.found(), Kind::Tdnn);
        let stream = Shelf::new()
            .network("model.onnx", STREAM)
            .put("tokens.txt", TOKENS);
        assert_eq!(stream.found(), Kind::StreamingNemoCtc);
    }

    #[test]
    fn of_two_precisions_the_smaller_is_taken() {
        let shelf = parakeet().network("encoder.onnx", PARAKEET);
        let found = shelf.look(Kind::Auto).unwrap();
        assert_eq!(name(&found.network), "encoder.int8.onnx");
    }

    #[test]
    fn of_two_models_in_one_folder_the_admin_says_which() {
        let shelf = Shelf::new()
            .network("offline.onnx", TDNN)
            .network("online.onnx", STREAM)
            .put("tokens.txt", TOKENS);
        insta::assert_snapshot!(
            shelf.lacks(),
            @"a single network: it holds tdnn and streaming_nemo_ctc, so say which by `kind`"
        );
        assert_eq!(
            name(&shelf.look(Kind::Tdnn).unwrap().network),
            "offline.onnx"
        );
        assert_eq!(
            name(&shelf.look(Kind::StreamingNemoCtc).unwrap().network),
            "online.onnx"
        );
        assert_eq!(
            shelf.look(Kind::WenetCtc).unwrap_err(),
            "a network of the kind wenet_ctc"
        );
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        assert_eq!(Shelf::new().lacks(), "any file *.onnx");
        let half = Shelf::new().network("encoder.onnx", PARAKEET);
        assert_eq!(half.lacks(), "its *decoder*.onnx");
        let cut = parakeet().put("joiner.int8.onnx", &model(&[])[..50]);
        assert_eq!(
            cut.lacks(),
            "a whole joiner.int8.onnx (it is cut short at 50 bytes)"
        );
        let page = parakeet().put("decoder.int8.onnx", "<html>404</html>");
        assert_eq!(
            page.lacks(),
            "a whole decoder.int8.onnx (it is no ONNX model)"
        );
        let bare = parakeet().network("encoder.int8.onnx", &PARAKEET[..4]);
        assert_eq!(
            bare.lacks(),
            "`pred_hidden` in the metadata of encoder.int8.onnx"
        );
        let mute = Shelf::new().network("model.onnx", TDNN);
        assert_eq!(mute.lacks(), "tokens.txt");
        let strange = Shelf::new()
            .network("model.onnx", &[])
            .put("tokens.txt", TOKENS);
        assert_eq!(
            strange.lacks(),
            "metadata that tells what kind of network it is, so say it by `kind`"
        );
    }

    #[test]
    fn a_table_of_tokens_that_would_end_the_process_is_refused() {
        let with = |tokens: &str| {
            let shelf = Shelf::new()
                .network("model.onnx", TDNN)
                .put("tokens.txt", tokens);
            shelf.look(Kind::Auto).map(|found| found.kind)
        };
        assert_eq!(with(TOKENS), Ok(Kind::Tdnn));
        assert_eq!(with("<blk> 0\n1\n"), Ok(Kind::Tdnn));
        insta::assert_snapshot!(
            with("<blk> 0\n").unwrap_err(),
            @"a fitting tokens.txt (the network has 2 tokens and it has none of the number 1)"
        );
        insta::assert_snapshot!(
            with("ja 0\nnej 1\n").unwrap_err(),
            @"a fitting tokens.txt (it has neither <blk> nor <eps> nor <blank>)"
        );
        insta::assert_snapshot!(
            with("<blk> 0\nja tak 1\n").unwrap_err(),
            @"a sound tokens.txt (line 2 is no token with its number)"
        );
        insta::assert_snapshot!(
            with("<blk> 0\nja nej\n").unwrap_err(),
            @"a sound tokens.txt (line 2 does not end with a number)"
        );
        insta::assert_snapshot!(with("").unwrap_err(), @"a sound tokens.txt (it is empty)");
        let moved = parakeet().put("tokens.txt", "<blk> 0\nja 1\n");
        insta::assert_snapshot!(
            moved.lacks(),
            @"a fitting tokens.txt (<blk> is not its last token, 1)"
        );
    }
}
