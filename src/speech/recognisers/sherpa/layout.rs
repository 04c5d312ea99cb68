//! The settings structures of sherpa-onnx's C interface, as its header has them in the versions
//! named here. Every pointer may be null and every number 0, which stands for the default.

use std::ffi::{c_char, c_float, c_int};

/// The versions whose structures are these. Up to 1.13.8 the last field of [`WholeSettings`] did
/// not exist, and those versions never look at it.
pub(super) const KNOWN_VERSIONS: [&str; 5] = ["2.0.1", "2.0.0", "1.13.8", "1.13.0", "1.12.40"];

type Text = *const c_char;

#[repr(C)]
pub(super) struct Features {
    pub(super) rate: c_int,
    pub(super) width: c_int,
}

#[repr(C)]
pub(super) struct ThreeFiles {
    pub(super) encoder: Text,
    pub(super) decoder: Text,
    pub(super) joiner: Text,
}

#[repr(C)]
pub(super) struct TwoFiles {
    pub(super) encoder: Text,
    pub(super) decoder: Text,
}

#[repr(C)]
pub(super) struct Graph {
    pub(super) file: Text,
    pub(super) max_active: c_int,
}

#[repr(C)]
pub(super) struct Homophones {
    pub(super) folder: Text,
    pub(super) lexicon: Text,
    pub(super) rules: Text,
}

/// `SherpaOnnxOnlineModelConfig`.
#[repr(C)]
pub(super) struct StreamingModel {
    pub(super) transducer: ThreeFiles,
    pub(super) paraformer: TwoFiles,
    pub(super) zipformer_ctc: Text,
    pub(super) tokens: Text,
    pub(super) threads: c_int,
    pub(super) provider: Text,
    pub(super) debug: c_int,
    pub(super) model_type: Text,
    pub(super) modeling_unit: Text,
    pub(super) bpe_vocab: Text,
    pub(super) tokens_buffer: Text,
    pub(super) tokens_buffer_size: c_int,
    pub(super) nemo_ctc: Text,
    pub(super) t_one_ctc: Text,
}

/// `SherpaOnnxOnlineRecognizerConfig`.
#[repr(C)]
pub(super) struct StreamingSettings {
    pub(super) features: Features,
    pub(super) model: StreamingModel,
    pub(super) decoding_method: Text,
    pub(super) max_active_paths: c_int,
    pub(super) enable_endpoint: c_int,
    pub(super) rule1_min_trailing_silence: c_float,
    pub(super) rule2_min_trailing_silence: c_float,
    pub(super) rule3_min_utterance_length: c_float,
    pub(super) hotwords_file: Text,
    pub(super) hotwords_score: c_float,
    pub(super) graph: Graph,
    pub(super) rule_fsts: Text,
    pub(super) rule_fars: Text,
    pub(super) blank_penalty: c_float,
    pub(super) hotwords_buffer: Text,
    pub(super) hotwords_buffer_size: c_int,
    pub(super) homophones: Homophones,
}

#[repr(C)]
pub(super) struct Whisper {
    pub(super) encoder: Text,
    pub(super) decoder: Text,
    pub(super) language: Text,
    pub(super) task: Text,
    pub(super) tail_paddings: c_int,
    pub(super) token_timestamps: c_int,
    pub(super) segment_timestamps: c_int,
}

#[repr(C)]
pub(super) struct Canary {
    pub(super) encoder: Text,
    pub(super) decoder: Text,
    pub(super) source_language: Text,
    pub(super) target_language: Text,
    pub(super) punctuation: c_int,
}

#[repr(C)]
pub(super) struct Cohere {
    pub(super) encoder: Text,
    pub(super) decoder: Text,
    pub(super) language: Text,
    pub(super) punctuation: c_int,
    pub(super) itn: c_int,
}

#[repr(C)]
pub(super) struct Moonshine {
    pub(super) preprocessor: Text,
    pub(super) encoder: Text,
    pub(super) uncached_decoder: Text,
    pub(super) cached_decoder: Text,
    pub(super) merged_decoder: Text,
}

#[repr(C)]
pub(super) struct LanguageModel {
    pub(super) file: Text,
    pub(super) scale: c_float,
}

#[repr(C)]
pub(super) struct SenseVoice {
    pub(super) file: Text,
    pub(super) language: Text,
    pub(super) itn: c_int,
}

#[repr(C)]
pub(super) struct FunAsr {
    pub(super) encoder_adaptor: Text,
    pub(super) llm: Text,
    pub(super) embedding: Text,
    pub(super) tokenizer: Text,
    pub(super) system_prompt: Text,
    pub(super) user_prompt: Text,
    pub(super) max_new_tokens: c_int,
    pub(super) temperature: c_float,
    pub(super) top_p: c_float,
    pub(super) seed: c_int,
    pub(super) language: Text,
    pub(super) itn: c_int,
    pub(super) hotwords: Text,
}

#[repr(C)]
pub(super) struct Qwen3 {
    pub(super) conv_frontend: Text,
    pub(super) encoder: Text,
    pub(super) decoder: Text,
    pub(super) tokenizer: Text,
    pub(super) max_total_len: c_int,
    pub(super) max_new_tokens: c_int,
    pub(super) temperature: c_float,
    pub(super) top_p: c_float,
    pub(super) seed: c_int,
    pub(super) hotwords: Text,
}

/// `SherpaOnnxOfflineModelConfig`.
#[repr(C)]
pub(super) struct WholeModel {
    pub(super) transducer: ThreeFiles,
    pub(super) paraformer: Text,
    pub(super) nemo_ctc: Text,
    pub(super) whisper: Whisper,
    pub(super) tdnn: Text,
    pub(super) tokens: Text,
    pub(super) threads: c_int,
    pub(super) debug: c_int,
    pub(super) provider: Text,
    pub(super) model_type: Text,
    pub(super) modeling_unit: Text,
    pub(super) bpe_vocab: Text,
    pub(super) telespeech_ctc: Text,
    pub(super) sense_voice: SenseVoice,
    pub(super) moonshine: Moonshine,
    pub(super) fire_red: TwoFiles,
    pub(super) dolphin: Text,
    pub(super) zipformer_ctc: Text,
    pub(super) canary: Canary,
    pub(super) wenet_ctc: Text,
    pub(super) omnilingual: Text,
    pub(super) medasr: Text,
    pub(super) funasr: FunAsr,
    pub(super) fire_red_ctc: Text,
    pub(super) qwen3: Qwen3,
    pub(super) cohere: Cohere,
}

/// `SherpaOnnxOfflineRecognizerConfig`.
#[repr(C)]
pub(super) struct WholeSettings {
    pub(super) features: Features,
    pub(super) model: WholeModel,
    pub(super) language_model: LanguageModel,
    pub(super) decoding_method: Text,
    pub(super) max_active_paths: c_int,
    pub(super) hotwords_file: Text,
    pub(super) hotwords_score: c_float,
    pub(super) rule_fsts: Text,
    pub(super) rule_fars: Text,
    pub(super) blank_penalty: c_float,
    pub(super) homophones: Homophones,
    pub(super) graph: Graph,
}

#[cfg(test)]
mod tests {
    use std::mem::{offset_of, size_of};
    use std::path::PathBuf;
    use std::process::Command;

    use super::*;

    /// What C calls a structure or field, and its place here.
    fn places() -> Vec<(&'static str, usize)> {
        type W = WholeSettings;
        type S = StreamingSettings;
        vec![
            ("sizeof(SherpaOnnxOfflineRecognizerConfig)", size_of::<W>()),
            (
                "sizeof(SherpaOnnxOfflineModelConfig)",
                size_of::<WholeModel>(),
            ),
            (
                "sizeof(SherpaOnnxOfflineFunASRNanoModelConfig)",
                size_of::<FunAsr>(),
            ),
            (
                "sizeof(SherpaOnnxOfflineQwen3ASRModelConfig)",
                size_of::<Qwen3>(),
            ),
            (
                "WHOLE(feat_config.feature_dim)",
                offset_of!(W, features.width),
            ),
            ("WHOLE(model_config)", offset_of!(W, model)),
            (
                "WHOLE(model_config.transducer.joiner)",
                offset_of!(W, model.transducer.joiner),
            ),
            (
                "WHOLE(model_config.paraformer.model)",
                offset_of!(W, model.paraformer),
            ),
            (
                "WHOLE(model_config.nemo_ctc.model)",
                offset_of!(W, model.nemo_ctc),
            ),
            (
                "WHOLE(model_config.whisper.encoder)",
                offset_of!(W, model.whisper.encoder),
            ),
            (
                "WHOLE(model_config.whisper.language)",
                offset_of!(W, model.whisper.language),
            ),
            (
                "WHOLE(model_config.whisper.task)",
                offset_of!(W, model.whisper.task),
            ),
            (
                "WHOLE(model_config.whisper.enable_segment_timestamps)",
                offset_of!(W, model.whisper.segment_timestamps),
            ),
            ("WHOLE(model_config.tdnn.model)", offset_of!(W, model.tdnn)),
            ("WHOLE(model_config.tokens)", offset_of!(W, model.tokens)),
            (
                "WHOLE(model_config.num_threads)",
                offset_of!(W, model.threads),
            ),
            ("WHOLE(model_config.debug)", offset_of!(W, model.debug)),
            (
                "WHOLE(model_config.provider)",
                offset_of!(W, model.provider),
            ),
            (
                "WHOLE(model_config.model_type)",
                offset_of!(W, model.model_type),
            ),
            (
                "WHOLE(model_config.modeling_unit)",
                offset_of!(W, model.modeling_unit),
            ),
            (
                "WHOLE(model_config.bpe_vocab)",
                offset_of!(W, model.bpe_vocab),
            ),
            (
                "WHOLE(model_config.zipformer_ctc.model)",
                offset_of!(W, model.zipformer_ctc),
            ),
            (
                "WHOLE(model_config.canary.encoder)",
                offset_of!(W, model.canary.encoder),
            ),
            (
                "WHOLE(model_config.canary.src_lang)",
                offset_of!(W, model.canary.source_language),
            ),
            (
                "WHOLE(model_config.canary.tgt_lang)",
                offset_of!(W, model.canary.target_language),
            ),
            (
                "WHOLE(model_config.canary.use_pnc)",
                offset_of!(W, model.canary.punctuation),
            ),
            (
                "WHOLE(model_config.wenet_ctc.model)",
                offset_of!(W, model.wenet_ctc),
            ),
            (
                "WHOLE(model_config.cohere_transcribe.use_itn)",
                offset_of!(W, model.cohere.itn),
            ),
            (
                "WHOLE(lm_config.scale)",
                offset_of!(W, language_model.scale),
            ),
            ("WHOLE(decoding_method)", offset_of!(W, decoding_method)),
            ("WHOLE(max_active_paths)", offset_of!(W, max_active_paths)),
            ("WHOLE(hotwords_score)", offset_of!(W, hotwords_score)),
            ("WHOLE(blank_penalty)", offset_of!(W, blank_penalty)),
            ("WHOLE(hr.rule_fsts)", offset_of!(W, homophones.rules)),
            ("sizeof(SherpaOnnxOnlineRecognizerConfig)", size_of::<S>()),
            (
                "sizeof(SherpaOnnxOnlineModelConfig)",
                size_of::<StreamingModel>(),
            ),
            (
                "STREAM(model_config.transducer.joiner)",
                offset_of!(S, model.transducer.joiner),
            ),
            (
                "STREAM(model_config.zipformer2_ctc.model)",
                offset_of!(S, model.zipformer_ctc),
            ),
            ("STREAM(model_config.tokens)", offset_of!(S, model.tokens)),
            (
                "STREAM(model_config.num_threads)",
                offset_of!(S, model.threads),
            ),
            (
                "STREAM(model_config.provider)",
                offset_of!(S, model.provider),
            ),
            (
                "STREAM(model_config.modeling_unit)",
                offset_of!(S, model.modeling_unit),
            ),
            (
                "STREAM(model_config.bpe_vocab)",
                offset_of!(S, model.bpe_vocab),
            ),
            (
                "STREAM(model_config.nemo_ctc.model)",
                offset_of!(S, model.nemo_ctc),
            ),
            ("STREAM(decoding_method)", offset_of!(S, decoding_method)),
            ("STREAM(enable_endpoint)", offset_of!(S, enable_endpoint)),
            ("STREAM(hotwords_score)", offset_of!(S, hotwords_score)),
            ("STREAM(blank_penalty)", offset_of!(S, blank_penalty)),
            (
                "STREAM(hotwords_buf_size)",
                offset_of!(S, hotwords_buffer_size),
            ),
            ("STREAM(hr.rule_fsts)", offset_of!(S, homophones.rules)),
        ]
    }

    #[test]
    fn every_structure_is_as_a_c_compiler_lays_it_out() {
        let Some(header) = std::env::var_os("HOTLINE_SHERPA_HEADER").map(PathBuf::from) else {
            let wanted = ["CI", "HOTLINE_REQUIRE_ALL"];
            let is_wanted = wanted.iter().any(|it| std::env::var_os(it).is_some());
            assert!(
                !is_wanted,
                "REQUIRED: HOTLINE_SHERPA_HEADER, the file c-api.h"
            );
            eprintln!("*** SKIPPED, NOT TESTED: HOTLINE_SHERPA_HEADER names no c-api.h ***");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let prints: String = places()
            .iter()
            .map(|(name, _)| format!("printf(\"%zu\\n\", {name});\n"))
            .collect();
        let source = format!(
            "#include <stddef.h>\n#include <stdio.h>\n#include {header:?}\n\
             #define WHOLE(f) offsetof(SherpaOnnxOfflineRecognizerConfig, f)\n\
             #define STREAM(f) offsetof(SherpaOnnxOnlineRecognizerConfig, f)\n\
             int main(void) {{\n{prints}return 0;\n}}\n"
        );
        let (file, program) = (folder.path().join("layout.c"), folder.path().join("layout"));
        std::fs::write(&file, source).unwrap();
        let compiled = Command::new("cc")
            .arg(&file)
            .arg("-o")
            .arg(&program)
            .output()
            .unwrap();
        assert!(
            compiled.status.success(),
            "{}",
            String::from_utf8_lossy(&compiled.stderr)
        );
        let told = Command::new(&program).output().unwrap().stdout;
        let told: Vec<usize> = String::from_utf8(told)
            .unwrap()
            .lines()
            .map(|line| line.parse().unwrap())
            .collect();
        let places = places();
        assert_eq!(told.len(), places.len());
        for ((name, here), there) in places.iter().zip(told) {
            assert_eq!(*here, there, "{name}");
        }
    }
}
