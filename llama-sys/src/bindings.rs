// Written by `cargo xtask bindings` from the pinned headers; do not edit.
// header: llama.h cfc69cee26cd0c30243fedce2ecc0119fd094d3f
// header: ggml.h 224bdef927ac90bfa07ee39db3247b7bac4f14ec
// header: ggml-backend.h 38197285cfe31929737dd4f6f79074a88f2fbd39
// header: ggml-cpu.h dc6453c6eaa16667f720f987659ad42d03a403a2
// header: ggml-alloc.h 81cce2e2a60778f5fe6d923a74b38f7fa47d7dcc
// header: gguf.h b3a1e1230a06110a0a5f04469d849ac2000b467c
// header: ggml-opt.h 1c2ed79b77420e74fd3b81b83367109164380853

use super::{CEnum, FILE};

pub const GGML_FILE_MAGIC: u32 = 1734831468;
pub const GGML_FILE_VERSION: u32 = 2;
pub const GGML_QNT_VERSION: u32 = 2;
pub const GGML_QNT_VERSION_FACTOR: u32 = 1000;
pub const GGML_MAX_DIMS: u32 = 4;
pub const GGML_MAX_PARAMS: u32 = 2048;
pub const GGML_MAX_SRC: u32 = 10;
pub const GGML_MAX_N_THREADS: u32 = 512;
pub const GGML_MAX_OP_PARAMS: u32 = 64;
pub const GGML_MAX_NAME: u32 = 64;
pub const GGML_DEFAULT_N_THREADS: u32 = 4;
pub const GGML_DEFAULT_GRAPH_SIZE: u32 = 2048;
pub const GGML_MEM_ALIGN: u32 = 16;
pub const GGML_EXIT_SUCCESS: u32 = 0;
pub const GGML_EXIT_ABORTED: u32 = 1;
pub const GGML_ROPE_TYPE_NORMAL: u32 = 0;
pub const GGML_ROPE_TYPE_NEOX: u32 = 2;
pub const GGML_ROPE_TYPE_MROPE: u32 = 8;
pub const GGML_ROPE_TYPE_VISION: u32 = 24;
pub const GGML_ROPE_TYPE_IMROPE: u32 = 40;
pub const GGML_MROPE_SECTIONS: u32 = 4;
pub const GGML_N_TASKS_MAX: i32 = -1;
pub const GGML_BACKEND_META_MAX_DEVICES: u32 = 16;
pub const GGUF_MAGIC: &[u8; 5] = b"GGUF\0";
pub const GGUF_VERSION: u32 = 3;
pub const GGUF_KEY_GENERAL_ALIGNMENT: &[u8; 18] = b"general.alignment\0";
pub const GGUF_DEFAULT_ALIGNMENT: u32 = 32;
pub const LLAMA_DEFAULT_SEED: u32 = 4294967295;
pub const LLAMA_TOKEN_NULL: i32 = -1;
pub const LLAMA_FILE_MAGIC_GGLA: u32 = 1734831201;
pub const LLAMA_FILE_MAGIC_GGSN: u32 = 1734833006;
pub const LLAMA_FILE_MAGIC_GGSQ: u32 = 1734833009;
pub const LLAMA_SESSION_MAGIC: u32 = 1734833006;
pub const LLAMA_SESSION_VERSION: u32 = 11;
pub const LLAMA_STATE_SEQ_MAGIC: u32 = 1734833009;
pub const LLAMA_STATE_SEQ_VERSION: u32 = 4;
pub const LLAMA_STATE_SEQ_FLAGS_NONE: u32 = 0;
pub const LLAMA_STATE_SEQ_FLAGS_SWA_ONLY: u32 = 1;
pub const LLAMA_STATE_SEQ_FLAGS_PARTIAL_ONLY: u32 = 1;
pub const LLAMA_STATE_SEQ_FLAGS_ON_DEVICE: u32 = 2;
pub type ggml_abort_callback_t = ::core::option::Option<
    unsafe extern "C" fn(error_message: *const ::core::ffi::c_char),
>;
pub const GGML_STATUS_ALLOC_FAILED: ggml_status = -2;
pub const GGML_STATUS_FAILED: ggml_status = -1;
pub const GGML_STATUS_SUCCESS: ggml_status = 0;
pub const GGML_STATUS_ABORTED: ggml_status = 1;
pub type ggml_status = ::core::ffi::c_int;
pub type ggml_fp16_t = u16;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_bf16_t {
    pub bits: u16,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_bf16_t"][::core::mem::size_of::<ggml_bf16_t>() - 2usize];
    ["Alignment of ggml_bf16_t"][::core::mem::align_of::<ggml_bf16_t>() - 2usize];
    [
        "Offset of field: ggml_bf16_t::bits",
    ][::core::mem::offset_of!(ggml_bf16_t, bits) - 0usize];
};
#[repr(C)]
#[derive(Debug)]
pub struct ggml_object {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct ggml_context {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct ggml_cgraph {
    _unused: [u8; 0],
}
pub const GGML_TYPE_F32: ggml_type = 0;
pub const GGML_TYPE_F16: ggml_type = 1;
pub const GGML_TYPE_Q4_0: ggml_type = 2;
pub const GGML_TYPE_Q4_1: ggml_type = 3;
pub const GGML_TYPE_Q5_0: ggml_type = 6;
pub const GGML_TYPE_Q5_1: ggml_type = 7;
pub const GGML_TYPE_Q8_0: ggml_type = 8;
pub const GGML_TYPE_Q8_1: ggml_type = 9;
pub const GGML_TYPE_Q2_K: ggml_type = 10;
pub const GGML_TYPE_Q3_K: ggml_type = 11;
pub const GGML_TYPE_Q4_K: ggml_type = 12;
pub const GGML_TYPE_Q5_K: ggml_type = 13;
pub const GGML_TYPE_Q6_K: ggml_type = 14;
pub const GGML_TYPE_Q8_K: ggml_type = 15;
pub const GGML_TYPE_IQ2_XXS: ggml_type = 16;
pub const GGML_TYPE_IQ2_XS: ggml_type = 17;
pub const GGML_TYPE_IQ3_XXS: ggml_type = 18;
pub const GGML_TYPE_IQ1_S: ggml_type = 19;
pub const GGML_TYPE_IQ4_NL: ggml_type = 20;
pub const GGML_TYPE_IQ3_S: ggml_type = 21;
pub const GGML_TYPE_IQ2_S: ggml_type = 22;
pub const GGML_TYPE_IQ4_XS: ggml_type = 23;
pub const GGML_TYPE_I8: ggml_type = 24;
pub const GGML_TYPE_I16: ggml_type = 25;
pub const GGML_TYPE_I32: ggml_type = 26;
pub const GGML_TYPE_I64: ggml_type = 27;
pub const GGML_TYPE_F64: ggml_type = 28;
pub const GGML_TYPE_IQ1_M: ggml_type = 29;
pub const GGML_TYPE_BF16: ggml_type = 30;
pub const GGML_TYPE_TQ1_0: ggml_type = 34;
pub const GGML_TYPE_TQ2_0: ggml_type = 35;
pub const GGML_TYPE_MXFP4: ggml_type = 39;
pub const GGML_TYPE_NVFP4: ggml_type = 40;
pub const GGML_TYPE_Q1_0: ggml_type = 41;
pub const GGML_TYPE_Q2_0: ggml_type = 42;
pub const GGML_TYPE_COUNT: ggml_type = 43;
pub type ggml_type = CEnum;
pub const GGML_PREC_UNDEFINED: ggml_prec = 0;
pub const GGML_PREC_DEFAULT: ggml_prec = 0;
pub const GGML_PREC_F32: ggml_prec = 10;
pub const GGML_PREC_BF16: ggml_prec = 15;
pub const GGML_PREC_F16: ggml_prec = 20;
pub const GGML_PREC_Q8: ggml_prec = 30;
pub const GGML_PREC_Q4: ggml_prec = 40;
pub type ggml_prec = CEnum;
pub const GGML_HINT_NONE: ggml_op_hint = 0;
pub const GGML_HINT_SRC0_IS_HADAMARD: ggml_op_hint = 1;
pub type ggml_op_hint = CEnum;
pub const GGML_FTYPE_UNKNOWN: ggml_ftype = -1;
pub const GGML_FTYPE_ALL_F32: ggml_ftype = 0;
pub const GGML_FTYPE_MOSTLY_F16: ggml_ftype = 1;
pub const GGML_FTYPE_MOSTLY_Q4_0: ggml_ftype = 2;
pub const GGML_FTYPE_MOSTLY_Q4_1: ggml_ftype = 3;
pub const GGML_FTYPE_MOSTLY_Q4_1_SOME_F16: ggml_ftype = 4;
pub const GGML_FTYPE_MOSTLY_Q8_0: ggml_ftype = 7;
pub const GGML_FTYPE_MOSTLY_Q5_0: ggml_ftype = 8;
pub const GGML_FTYPE_MOSTLY_Q5_1: ggml_ftype = 9;
pub const GGML_FTYPE_MOSTLY_Q2_K: ggml_ftype = 10;
pub const GGML_FTYPE_MOSTLY_Q3_K: ggml_ftype = 11;
pub const GGML_FTYPE_MOSTLY_Q4_K: ggml_ftype = 12;
pub const GGML_FTYPE_MOSTLY_Q5_K: ggml_ftype = 13;
pub const GGML_FTYPE_MOSTLY_Q6_K: ggml_ftype = 14;
pub const GGML_FTYPE_MOSTLY_IQ2_XXS: ggml_ftype = 15;
pub const GGML_FTYPE_MOSTLY_IQ2_XS: ggml_ftype = 16;
pub const GGML_FTYPE_MOSTLY_IQ3_XXS: ggml_ftype = 17;
pub const GGML_FTYPE_MOSTLY_IQ1_S: ggml_ftype = 18;
pub const GGML_FTYPE_MOSTLY_IQ4_NL: ggml_ftype = 19;
pub const GGML_FTYPE_MOSTLY_IQ3_S: ggml_ftype = 20;
pub const GGML_FTYPE_MOSTLY_IQ2_S: ggml_ftype = 21;
pub const GGML_FTYPE_MOSTLY_IQ4_XS: ggml_ftype = 22;
pub const GGML_FTYPE_MOSTLY_IQ1_M: ggml_ftype = 23;
pub const GGML_FTYPE_MOSTLY_BF16: ggml_ftype = 24;
pub const GGML_FTYPE_MOSTLY_MXFP4: ggml_ftype = 25;
pub const GGML_FTYPE_MOSTLY_NVFP4: ggml_ftype = 26;
pub const GGML_FTYPE_MOSTLY_Q1_0: ggml_ftype = 27;
pub const GGML_FTYPE_MOSTLY_Q2_0: ggml_ftype = 28;
pub type ggml_ftype = ::core::ffi::c_int;
pub const GGML_OP_NONE: ggml_op = 0;
pub const GGML_OP_DUP: ggml_op = 1;
pub const GGML_OP_ADD: ggml_op = 2;
pub const GGML_OP_ADD_ID: ggml_op = 3;
pub const GGML_OP_ADD1: ggml_op = 4;
pub const GGML_OP_ACC: ggml_op = 5;
pub const GGML_OP_SUB: ggml_op = 6;
pub const GGML_OP_MUL: ggml_op = 7;
pub const GGML_OP_DIV: ggml_op = 8;
pub const GGML_OP_SQR: ggml_op = 9;
pub const GGML_OP_SQRT: ggml_op = 10;
pub const GGML_OP_LOG: ggml_op = 11;
pub const GGML_OP_SIN: ggml_op = 12;
pub const GGML_OP_COS: ggml_op = 13;
pub const GGML_OP_SUM: ggml_op = 14;
pub const GGML_OP_SUM_ROWS: ggml_op = 15;
pub const GGML_OP_CUMSUM: ggml_op = 16;
pub const GGML_OP_MEAN: ggml_op = 17;
pub const GGML_OP_ARGMAX: ggml_op = 18;
pub const GGML_OP_COUNT_EQUAL: ggml_op = 19;
pub const GGML_OP_REPEAT: ggml_op = 20;
pub const GGML_OP_REPEAT_BACK: ggml_op = 21;
pub const GGML_OP_CONCAT: ggml_op = 22;
pub const GGML_OP_SILU_BACK: ggml_op = 23;
pub const GGML_OP_NORM: ggml_op = 24;
pub const GGML_OP_RMS_NORM: ggml_op = 25;
pub const GGML_OP_RMS_NORM_BACK: ggml_op = 26;
pub const GGML_OP_GROUP_NORM: ggml_op = 27;
pub const GGML_OP_L2_NORM: ggml_op = 28;
pub const GGML_OP_MUL_MAT: ggml_op = 29;
pub const GGML_OP_MUL_MAT_ID: ggml_op = 30;
pub const GGML_OP_OUT_PROD: ggml_op = 31;
pub const GGML_OP_SCALE: ggml_op = 32;
pub const GGML_OP_SET: ggml_op = 33;
pub const GGML_OP_CPY: ggml_op = 34;
pub const GGML_OP_CONT: ggml_op = 35;
pub const GGML_OP_RESHAPE: ggml_op = 36;
pub const GGML_OP_VIEW: ggml_op = 37;
pub const GGML_OP_PERMUTE: ggml_op = 38;
pub const GGML_OP_TRANSPOSE: ggml_op = 39;
pub const GGML_OP_GET_ROWS: ggml_op = 40;
pub const GGML_OP_GET_ROWS_BACK: ggml_op = 41;
pub const GGML_OP_SET_ROWS: ggml_op = 42;
pub const GGML_OP_DIAG: ggml_op = 43;
pub const GGML_OP_DIAG_MASK_INF: ggml_op = 44;
pub const GGML_OP_DIAG_MASK_ZERO: ggml_op = 45;
pub const GGML_OP_SOFT_MAX: ggml_op = 46;
pub const GGML_OP_SOFT_MAX_BACK: ggml_op = 47;
pub const GGML_OP_ROPE: ggml_op = 48;
pub const GGML_OP_ROPE_BACK: ggml_op = 49;
pub const GGML_OP_CLAMP: ggml_op = 50;
pub const GGML_OP_CONV_TRANSPOSE_1D: ggml_op = 51;
pub const GGML_OP_IM2COL: ggml_op = 52;
pub const GGML_OP_IM2COL_BACK: ggml_op = 53;
pub const GGML_OP_IM2COL_3D: ggml_op = 54;
pub const GGML_OP_COL2IM_1D: ggml_op = 55;
pub const GGML_OP_CONV_2D: ggml_op = 56;
pub const GGML_OP_CONV_3D: ggml_op = 57;
pub const GGML_OP_CONV_2D_DW: ggml_op = 58;
pub const GGML_OP_CONV_TRANSPOSE_2D: ggml_op = 59;
pub const GGML_OP_POOL_1D: ggml_op = 60;
pub const GGML_OP_POOL_2D: ggml_op = 61;
pub const GGML_OP_POOL_2D_BACK: ggml_op = 62;
pub const GGML_OP_UPSCALE: ggml_op = 63;
pub const GGML_OP_PAD: ggml_op = 64;
pub const GGML_OP_PAD_REFLECT_1D: ggml_op = 65;
pub const GGML_OP_ROLL: ggml_op = 66;
pub const GGML_OP_ARANGE: ggml_op = 67;
pub const GGML_OP_TIMESTEP_EMBEDDING: ggml_op = 68;
pub const GGML_OP_ARGSORT: ggml_op = 69;
pub const GGML_OP_TOP_K: ggml_op = 70;
pub const GGML_OP_LEAKY_RELU: ggml_op = 71;
pub const GGML_OP_TRI: ggml_op = 72;
pub const GGML_OP_FILL: ggml_op = 73;
pub const GGML_OP_FLASH_ATTN_EXT: ggml_op = 74;
pub const GGML_OP_FLASH_ATTN_BACK: ggml_op = 75;
pub const GGML_OP_SSM_CONV: ggml_op = 76;
pub const GGML_OP_SSM_SCAN: ggml_op = 77;
pub const GGML_OP_WIN_PART: ggml_op = 78;
pub const GGML_OP_WIN_UNPART: ggml_op = 79;
pub const GGML_OP_GET_REL_POS: ggml_op = 80;
pub const GGML_OP_ADD_REL_POS: ggml_op = 81;
pub const GGML_OP_RWKV_WKV6: ggml_op = 82;
pub const GGML_OP_GATED_LINEAR_ATTN: ggml_op = 83;
pub const GGML_OP_RWKV_WKV7: ggml_op = 84;
pub const GGML_OP_SOLVE_TRI: ggml_op = 85;
pub const GGML_OP_GATED_DELTA_NET: ggml_op = 86;
pub const GGML_OP_LIGHTNING_INDEXER: ggml_op = 87;
pub const GGML_OP_DSV4_HC_COMB: ggml_op = 88;
pub const GGML_OP_DSV4_HC_PRE: ggml_op = 89;
pub const GGML_OP_DSV4_HC_POST: ggml_op = 90;
pub const GGML_OP_UNARY: ggml_op = 91;
pub const GGML_OP_MAP_CUSTOM1: ggml_op = 92;
pub const GGML_OP_MAP_CUSTOM2: ggml_op = 93;
pub const GGML_OP_MAP_CUSTOM3: ggml_op = 94;
pub const GGML_OP_CUSTOM: ggml_op = 95;
pub const GGML_OP_CROSS_ENTROPY_LOSS: ggml_op = 96;
pub const GGML_OP_CROSS_ENTROPY_LOSS_BACK: ggml_op = 97;
pub const GGML_OP_OPT_STEP_ADAMW: ggml_op = 98;
pub const GGML_OP_OPT_STEP_SGD: ggml_op = 99;
pub const GGML_OP_GLU: ggml_op = 100;
pub const GGML_OP_COUNT: ggml_op = 101;
pub type ggml_op = CEnum;
pub const GGML_UNARY_OP_ABS: ggml_unary_op = 0;
pub const GGML_UNARY_OP_SGN: ggml_unary_op = 1;
pub const GGML_UNARY_OP_NEG: ggml_unary_op = 2;
pub const GGML_UNARY_OP_STEP: ggml_unary_op = 3;
pub const GGML_UNARY_OP_TANH: ggml_unary_op = 4;
pub const GGML_UNARY_OP_ELU: ggml_unary_op = 5;
pub const GGML_UNARY_OP_RELU: ggml_unary_op = 6;
pub const GGML_UNARY_OP_SIGMOID: ggml_unary_op = 7;
pub const GGML_UNARY_OP_GELU: ggml_unary_op = 8;
pub const GGML_UNARY_OP_GELU_QUICK: ggml_unary_op = 9;
pub const GGML_UNARY_OP_SILU: ggml_unary_op = 10;
pub const GGML_UNARY_OP_HARDSWISH: ggml_unary_op = 11;
pub const GGML_UNARY_OP_HARDSIGMOID: ggml_unary_op = 12;
pub const GGML_UNARY_OP_EXP: ggml_unary_op = 13;
pub const GGML_UNARY_OP_EXPM1: ggml_unary_op = 14;
pub const GGML_UNARY_OP_SOFTPLUS: ggml_unary_op = 15;
pub const GGML_UNARY_OP_GELU_ERF: ggml_unary_op = 16;
pub const GGML_UNARY_OP_XIELU: ggml_unary_op = 17;
pub const GGML_UNARY_OP_FLOOR: ggml_unary_op = 18;
pub const GGML_UNARY_OP_CEIL: ggml_unary_op = 19;
pub const GGML_UNARY_OP_ROUND: ggml_unary_op = 20;
pub const GGML_UNARY_OP_TRUNC: ggml_unary_op = 21;
pub const GGML_UNARY_OP_COUNT: ggml_unary_op = 22;
pub type ggml_unary_op = CEnum;
pub const GGML_GLU_OP_REGLU: ggml_glu_op = 0;
pub const GGML_GLU_OP_GEGLU: ggml_glu_op = 1;
pub const GGML_GLU_OP_SWIGLU: ggml_glu_op = 2;
pub const GGML_GLU_OP_SWIGLU_OAI: ggml_glu_op = 3;
pub const GGML_GLU_OP_GEGLU_ERF: ggml_glu_op = 4;
pub const GGML_GLU_OP_GEGLU_QUICK: ggml_glu_op = 5;
pub const GGML_GLU_OP_SWIGLU_CLAMP: ggml_glu_op = 6;
pub const GGML_GLU_OP_COUNT: ggml_glu_op = 7;
pub type ggml_glu_op = CEnum;
pub const GGML_OBJECT_TYPE_TENSOR: ggml_object_type = 0;
pub const GGML_OBJECT_TYPE_GRAPH: ggml_object_type = 1;
pub const GGML_OBJECT_TYPE_WORK_BUFFER: ggml_object_type = 2;
pub type ggml_object_type = CEnum;
pub const GGML_LOG_LEVEL_NONE: ggml_log_level = 0;
pub const GGML_LOG_LEVEL_DEBUG: ggml_log_level = 1;
pub const GGML_LOG_LEVEL_INFO: ggml_log_level = 2;
pub const GGML_LOG_LEVEL_WARN: ggml_log_level = 3;
pub const GGML_LOG_LEVEL_ERROR: ggml_log_level = 4;
pub const GGML_LOG_LEVEL_CONT: ggml_log_level = 5;
pub type ggml_log_level = CEnum;
pub const GGML_TENSOR_FLAG_INPUT: ggml_tensor_flag = 1;
pub const GGML_TENSOR_FLAG_OUTPUT: ggml_tensor_flag = 2;
pub const GGML_TENSOR_FLAG_PARAM: ggml_tensor_flag = 4;
pub const GGML_TENSOR_FLAG_LOSS: ggml_tensor_flag = 8;
pub const GGML_TENSOR_FLAG_COMPUTE: ggml_tensor_flag = 16;
pub type ggml_tensor_flag = CEnum;
pub const GGML_TRI_TYPE_UPPER_DIAG: ggml_tri_type = 0;
pub const GGML_TRI_TYPE_UPPER: ggml_tri_type = 1;
pub const GGML_TRI_TYPE_LOWER_DIAG: ggml_tri_type = 2;
pub const GGML_TRI_TYPE_LOWER: ggml_tri_type = 3;
pub type ggml_tri_type = CEnum;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_init_params {
    pub mem_size: usize,
    pub mem_buffer: *mut ::core::ffi::c_void,
    pub no_alloc: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_init_params"][::core::mem::size_of::<ggml_init_params>() - 24usize];
    [
        "Alignment of ggml_init_params",
    ][::core::mem::align_of::<ggml_init_params>() - 8usize];
    [
        "Offset of field: ggml_init_params::mem_size",
    ][::core::mem::offset_of!(ggml_init_params, mem_size) - 0usize];
    [
        "Offset of field: ggml_init_params::mem_buffer",
    ][::core::mem::offset_of!(ggml_init_params, mem_buffer) - 8usize];
    [
        "Offset of field: ggml_init_params::no_alloc",
    ][::core::mem::offset_of!(ggml_init_params, no_alloc) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_tensor {
    pub type_: ggml_type,
    pub buffer: *mut ggml_backend_buffer,
    pub ne: [i64; 4usize],
    pub nb: [usize; 4usize],
    pub op: ggml_op,
    pub op_params: [i32; 16usize],
    pub flags: i32,
    pub src: [*mut ggml_tensor; 10usize],
    pub view_src: *mut ggml_tensor,
    pub view_offs: usize,
    pub data: *mut ::core::ffi::c_void,
    pub name: [::core::ffi::c_char; 64usize],
    pub extra: *mut ::core::ffi::c_void,
    pub padding: [::core::ffi::c_char; 8usize],
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_tensor"][::core::mem::size_of::<ggml_tensor>() - 336usize];
    ["Alignment of ggml_tensor"][::core::mem::align_of::<ggml_tensor>() - 8usize];
    [
        "Offset of field: ggml_tensor::type_",
    ][::core::mem::offset_of!(ggml_tensor, type_) - 0usize];
    [
        "Offset of field: ggml_tensor::buffer",
    ][::core::mem::offset_of!(ggml_tensor, buffer) - 8usize];
    [
        "Offset of field: ggml_tensor::ne",
    ][::core::mem::offset_of!(ggml_tensor, ne) - 16usize];
    [
        "Offset of field: ggml_tensor::nb",
    ][::core::mem::offset_of!(ggml_tensor, nb) - 48usize];
    [
        "Offset of field: ggml_tensor::op",
    ][::core::mem::offset_of!(ggml_tensor, op) - 80usize];
    [
        "Offset of field: ggml_tensor::op_params",
    ][::core::mem::offset_of!(ggml_tensor, op_params) - 84usize];
    [
        "Offset of field: ggml_tensor::flags",
    ][::core::mem::offset_of!(ggml_tensor, flags) - 148usize];
    [
        "Offset of field: ggml_tensor::src",
    ][::core::mem::offset_of!(ggml_tensor, src) - 152usize];
    [
        "Offset of field: ggml_tensor::view_src",
    ][::core::mem::offset_of!(ggml_tensor, view_src) - 232usize];
    [
        "Offset of field: ggml_tensor::view_offs",
    ][::core::mem::offset_of!(ggml_tensor, view_offs) - 240usize];
    [
        "Offset of field: ggml_tensor::data",
    ][::core::mem::offset_of!(ggml_tensor, data) - 248usize];
    [
        "Offset of field: ggml_tensor::name",
    ][::core::mem::offset_of!(ggml_tensor, name) - 256usize];
    [
        "Offset of field: ggml_tensor::extra",
    ][::core::mem::offset_of!(ggml_tensor, extra) - 320usize];
    [
        "Offset of field: ggml_tensor::padding",
    ][::core::mem::offset_of!(ggml_tensor, padding) - 328usize];
};
pub const GGML_TENSOR_SIZE: usize = 336;
pub type ggml_abort_callback = ::core::option::Option<
    unsafe extern "C" fn(data: *mut ::core::ffi::c_void) -> bool,
>;
pub type ggml_guid = [u8; 16usize];
pub type ggml_guid_t = *mut ggml_guid;
pub const GGML_OP_POOL_MAX: ggml_op_pool = 0;
pub const GGML_OP_POOL_AVG: ggml_op_pool = 1;
pub const GGML_OP_POOL_COUNT: ggml_op_pool = 2;
pub type ggml_op_pool = CEnum;
pub const GGML_SCALE_MODE_NEAREST: ggml_scale_mode = 0;
pub const GGML_SCALE_MODE_BILINEAR: ggml_scale_mode = 1;
pub const GGML_SCALE_MODE_BICUBIC: ggml_scale_mode = 2;
pub const GGML_SCALE_MODE_COUNT: ggml_scale_mode = 3;
pub type ggml_scale_mode = CEnum;
pub const GGML_SCALE_FLAG_ALIGN_CORNERS: ggml_scale_flag = 256;
pub const GGML_SCALE_FLAG_ANTIALIAS: ggml_scale_flag = 512;
pub type ggml_scale_flag = CEnum;
pub const GGML_SORT_ORDER_ASC: ggml_sort_order = 0;
pub const GGML_SORT_ORDER_DESC: ggml_sort_order = 1;
pub type ggml_sort_order = CEnum;
pub type ggml_custom1_op_t = ::core::option::Option<
    unsafe extern "C" fn(
        dst: *mut ggml_tensor,
        a: *const ggml_tensor,
        ith: ::core::ffi::c_int,
        nth: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ),
>;
pub type ggml_custom2_op_t = ::core::option::Option<
    unsafe extern "C" fn(
        dst: *mut ggml_tensor,
        a: *const ggml_tensor,
        b: *const ggml_tensor,
        ith: ::core::ffi::c_int,
        nth: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ),
>;
pub type ggml_custom3_op_t = ::core::option::Option<
    unsafe extern "C" fn(
        dst: *mut ggml_tensor,
        a: *const ggml_tensor,
        b: *const ggml_tensor,
        c: *const ggml_tensor,
        ith: ::core::ffi::c_int,
        nth: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ),
>;
pub type ggml_custom_op_t = ::core::option::Option<
    unsafe extern "C" fn(
        dst: *mut ggml_tensor,
        ith: ::core::ffi::c_int,
        nth: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ),
>;
pub type ggml_log_callback = ::core::option::Option<
    unsafe extern "C" fn(
        level: ggml_log_level,
        text: *const ::core::ffi::c_char,
        user_data: *mut ::core::ffi::c_void,
    ),
>;
pub type ggml_to_float_t = ::core::option::Option<
    unsafe extern "C" fn(x: *const ::core::ffi::c_void, y: *mut f32, k: i64),
>;
pub type ggml_from_float_t = ::core::option::Option<
    unsafe extern "C" fn(x: *const f32, y: *mut ::core::ffi::c_void, k: i64),
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_type_traits {
    pub type_name: *const ::core::ffi::c_char,
    pub blck_size: i64,
    pub blck_size_interleave: i64,
    pub type_size: usize,
    pub is_quantized: bool,
    pub to_float: ggml_to_float_t,
    pub from_float_ref: ggml_from_float_t,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_type_traits"][::core::mem::size_of::<ggml_type_traits>() - 56usize];
    [
        "Alignment of ggml_type_traits",
    ][::core::mem::align_of::<ggml_type_traits>() - 8usize];
    [
        "Offset of field: ggml_type_traits::type_name",
    ][::core::mem::offset_of!(ggml_type_traits, type_name) - 0usize];
    [
        "Offset of field: ggml_type_traits::blck_size",
    ][::core::mem::offset_of!(ggml_type_traits, blck_size) - 8usize];
    [
        "Offset of field: ggml_type_traits::blck_size_interleave",
    ][::core::mem::offset_of!(ggml_type_traits, blck_size_interleave) - 16usize];
    [
        "Offset of field: ggml_type_traits::type_size",
    ][::core::mem::offset_of!(ggml_type_traits, type_size) - 24usize];
    [
        "Offset of field: ggml_type_traits::is_quantized",
    ][::core::mem::offset_of!(ggml_type_traits, is_quantized) - 32usize];
    [
        "Offset of field: ggml_type_traits::to_float",
    ][::core::mem::offset_of!(ggml_type_traits, to_float) - 40usize];
    [
        "Offset of field: ggml_type_traits::from_float_ref",
    ][::core::mem::offset_of!(ggml_type_traits, from_float_ref) - 48usize];
};
pub const GGML_SCHED_PRIO_LOW: ggml_sched_priority = -1;
pub const GGML_SCHED_PRIO_NORMAL: ggml_sched_priority = 0;
pub const GGML_SCHED_PRIO_MEDIUM: ggml_sched_priority = 1;
pub const GGML_SCHED_PRIO_HIGH: ggml_sched_priority = 2;
pub const GGML_SCHED_PRIO_REALTIME: ggml_sched_priority = 3;
pub type ggml_sched_priority = ::core::ffi::c_int;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_threadpool_params {
    pub cpumask: [bool; 512usize],
    pub n_threads: ::core::ffi::c_int,
    pub prio: ggml_sched_priority,
    pub poll: u32,
    pub strict_cpu: bool,
    pub paused: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_threadpool_params",
    ][::core::mem::size_of::<ggml_threadpool_params>() - 528usize];
    [
        "Alignment of ggml_threadpool_params",
    ][::core::mem::align_of::<ggml_threadpool_params>() - 4usize];
    [
        "Offset of field: ggml_threadpool_params::cpumask",
    ][::core::mem::offset_of!(ggml_threadpool_params, cpumask) - 0usize];
    [
        "Offset of field: ggml_threadpool_params::n_threads",
    ][::core::mem::offset_of!(ggml_threadpool_params, n_threads) - 512usize];
    [
        "Offset of field: ggml_threadpool_params::prio",
    ][::core::mem::offset_of!(ggml_threadpool_params, prio) - 516usize];
    [
        "Offset of field: ggml_threadpool_params::poll",
    ][::core::mem::offset_of!(ggml_threadpool_params, poll) - 520usize];
    [
        "Offset of field: ggml_threadpool_params::strict_cpu",
    ][::core::mem::offset_of!(ggml_threadpool_params, strict_cpu) - 524usize];
    [
        "Offset of field: ggml_threadpool_params::paused",
    ][::core::mem::offset_of!(ggml_threadpool_params, paused) - 525usize];
};
#[repr(C)]
#[derive(Debug)]
pub struct ggml_threadpool {
    _unused: [u8; 0],
}
pub type ggml_threadpool_t = *mut ggml_threadpool;
#[repr(C)]
#[derive(Debug)]
pub struct ggml_backend_buffer_type {
    _unused: [u8; 0],
}
pub type ggml_backend_buffer_type_t = *mut ggml_backend_buffer_type;
pub type ggml_backend_buffer_t = *mut ggml_backend_buffer;
#[repr(C)]
#[derive(Debug)]
pub struct ggml_backend {
    _unused: [u8; 0],
}
pub type ggml_backend_t = *mut ggml_backend;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_tallocr {
    pub buffer: ggml_backend_buffer_t,
    pub base: *mut ::core::ffi::c_void,
    pub alignment: usize,
    pub offset: usize,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_tallocr"][::core::mem::size_of::<ggml_tallocr>() - 32usize];
    ["Alignment of ggml_tallocr"][::core::mem::align_of::<ggml_tallocr>() - 8usize];
    [
        "Offset of field: ggml_tallocr::buffer",
    ][::core::mem::offset_of!(ggml_tallocr, buffer) - 0usize];
    [
        "Offset of field: ggml_tallocr::base",
    ][::core::mem::offset_of!(ggml_tallocr, base) - 8usize];
    [
        "Offset of field: ggml_tallocr::alignment",
    ][::core::mem::offset_of!(ggml_tallocr, alignment) - 16usize];
    [
        "Offset of field: ggml_tallocr::offset",
    ][::core::mem::offset_of!(ggml_tallocr, offset) - 24usize];
};
#[repr(C)]
#[derive(Debug)]
pub struct ggml_gallocr {
    _unused: [u8; 0],
}
pub type ggml_gallocr_t = *mut ggml_gallocr;
#[repr(C)]
#[derive(Debug)]
pub struct ggml_backend_event {
    _unused: [u8; 0],
}
pub type ggml_backend_event_t = *mut ggml_backend_event;
pub type ggml_backend_graph_plan_t = *mut ::core::ffi::c_void;
#[repr(C)]
#[derive(Debug)]
pub struct ggml_backend_reg {
    _unused: [u8; 0],
}
pub type ggml_backend_reg_t = *mut ggml_backend_reg;
#[repr(C)]
#[derive(Debug)]
pub struct ggml_backend_device {
    _unused: [u8; 0],
}
pub type ggml_backend_dev_t = *mut ggml_backend_device;
pub const GGML_BACKEND_BUFFER_USAGE_ANY: ggml_backend_buffer_usage = 0;
pub const GGML_BACKEND_BUFFER_USAGE_WEIGHTS: ggml_backend_buffer_usage = 1;
pub const GGML_BACKEND_BUFFER_USAGE_COMPUTE: ggml_backend_buffer_usage = 2;
pub type ggml_backend_buffer_usage = CEnum;
pub const GGML_BACKEND_DEVICE_TYPE_CPU: ggml_backend_dev_type = 0;
pub const GGML_BACKEND_DEVICE_TYPE_GPU: ggml_backend_dev_type = 1;
pub const GGML_BACKEND_DEVICE_TYPE_IGPU: ggml_backend_dev_type = 2;
pub const GGML_BACKEND_DEVICE_TYPE_ACCEL: ggml_backend_dev_type = 3;
pub const GGML_BACKEND_DEVICE_TYPE_META: ggml_backend_dev_type = 4;
pub type ggml_backend_dev_type = CEnum;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_backend_dev_caps {
    pub async_: bool,
    pub host_buffer: bool,
    pub buffer_from_host_ptr: bool,
    pub events: bool,
    pub mmap_support: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_backend_dev_caps",
    ][::core::mem::size_of::<ggml_backend_dev_caps>() - 5usize];
    [
        "Alignment of ggml_backend_dev_caps",
    ][::core::mem::align_of::<ggml_backend_dev_caps>() - 1usize];
    [
        "Offset of field: ggml_backend_dev_caps::async_",
    ][::core::mem::offset_of!(ggml_backend_dev_caps, async_) - 0usize];
    [
        "Offset of field: ggml_backend_dev_caps::host_buffer",
    ][::core::mem::offset_of!(ggml_backend_dev_caps, host_buffer) - 1usize];
    [
        "Offset of field: ggml_backend_dev_caps::buffer_from_host_ptr",
    ][::core::mem::offset_of!(ggml_backend_dev_caps, buffer_from_host_ptr) - 2usize];
    [
        "Offset of field: ggml_backend_dev_caps::events",
    ][::core::mem::offset_of!(ggml_backend_dev_caps, events) - 3usize];
    [
        "Offset of field: ggml_backend_dev_caps::mmap_support",
    ][::core::mem::offset_of!(ggml_backend_dev_caps, mmap_support) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_backend_dev_props {
    pub name: *const ::core::ffi::c_char,
    pub description: *const ::core::ffi::c_char,
    pub memory_free: usize,
    pub memory_total: usize,
    pub type_: ggml_backend_dev_type,
    pub device_id: *const ::core::ffi::c_char,
    pub caps: ggml_backend_dev_caps,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_backend_dev_props",
    ][::core::mem::size_of::<ggml_backend_dev_props>() - 56usize];
    [
        "Alignment of ggml_backend_dev_props",
    ][::core::mem::align_of::<ggml_backend_dev_props>() - 8usize];
    [
        "Offset of field: ggml_backend_dev_props::name",
    ][::core::mem::offset_of!(ggml_backend_dev_props, name) - 0usize];
    [
        "Offset of field: ggml_backend_dev_props::description",
    ][::core::mem::offset_of!(ggml_backend_dev_props, description) - 8usize];
    [
        "Offset of field: ggml_backend_dev_props::memory_free",
    ][::core::mem::offset_of!(ggml_backend_dev_props, memory_free) - 16usize];
    [
        "Offset of field: ggml_backend_dev_props::memory_total",
    ][::core::mem::offset_of!(ggml_backend_dev_props, memory_total) - 24usize];
    [
        "Offset of field: ggml_backend_dev_props::type_",
    ][::core::mem::offset_of!(ggml_backend_dev_props, type_) - 32usize];
    [
        "Offset of field: ggml_backend_dev_props::device_id",
    ][::core::mem::offset_of!(ggml_backend_dev_props, device_id) - 40usize];
    [
        "Offset of field: ggml_backend_dev_props::caps",
    ][::core::mem::offset_of!(ggml_backend_dev_props, caps) - 48usize];
};
pub type ggml_backend_comm_init_t = ::core::option::Option<
    unsafe extern "C" fn(
        backends: *mut ggml_backend_t,
        n_backends: usize,
    ) -> *mut ::core::ffi::c_void,
>;
pub type ggml_backend_comm_free_t = ::core::option::Option<
    unsafe extern "C" fn(comm_ctx: *mut ::core::ffi::c_void),
>;
pub type ggml_backend_comm_allreduce_tensor_t = ::core::option::Option<
    unsafe extern "C" fn(
        comm_ctx: *mut ::core::ffi::c_void,
        tensors: *mut *mut ggml_tensor,
    ) -> bool,
>;
pub type ggml_backend_split_buffer_type_t = ::core::option::Option<
    unsafe extern "C" fn(
        main_device: ::core::ffi::c_int,
        tensor_split: *const f32,
    ) -> ggml_backend_buffer_type_t,
>;
pub type ggml_backend_set_n_threads_t = ::core::option::Option<
    unsafe extern "C" fn(backend: ggml_backend_t, n_threads: ::core::ffi::c_int),
>;
pub type ggml_backend_dev_get_extra_bufts_t = ::core::option::Option<
    unsafe extern "C" fn(device: ggml_backend_dev_t) -> *mut ggml_backend_buffer_type_t,
>;
pub type ggml_backend_set_abort_callback_t = ::core::option::Option<
    unsafe extern "C" fn(
        backend: ggml_backend_t,
        abort_callback: ggml_abort_callback,
        abort_callback_data: *mut ::core::ffi::c_void,
    ),
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_backend_feature {
    pub name: *const ::core::ffi::c_char,
    pub value: *const ::core::ffi::c_char,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_backend_feature",
    ][::core::mem::size_of::<ggml_backend_feature>() - 16usize];
    [
        "Alignment of ggml_backend_feature",
    ][::core::mem::align_of::<ggml_backend_feature>() - 8usize];
    [
        "Offset of field: ggml_backend_feature::name",
    ][::core::mem::offset_of!(ggml_backend_feature, name) - 0usize];
    [
        "Offset of field: ggml_backend_feature::value",
    ][::core::mem::offset_of!(ggml_backend_feature, value) - 8usize];
};
pub type ggml_backend_get_features_t = ::core::option::Option<
    unsafe extern "C" fn(reg: ggml_backend_reg_t) -> *mut ggml_backend_feature,
>;
#[repr(C)]
#[derive(Debug)]
pub struct ggml_backend_sched {
    _unused: [u8; 0],
}
pub type ggml_backend_sched_t = *mut ggml_backend_sched;
pub type ggml_backend_sched_eval_callback = ::core::option::Option<
    unsafe extern "C" fn(
        t: *mut ggml_tensor,
        ask: bool,
        user_data: *mut ::core::ffi::c_void,
    ) -> bool,
>;
pub type ggml_backend_sched_copy_callback = ::core::option::Option<
    unsafe extern "C" fn(
        backend: ggml_backend_t,
        src: *const ggml_tensor,
        dst: *mut ggml_tensor,
        graph: *mut ggml_cgraph,
        user_data: *mut ::core::ffi::c_void,
    ) -> bool,
>;
pub const GGML_BACKEND_SPLIT_AXIS_0: ggml_backend_meta_split_axis = 0;
pub const GGML_BACKEND_SPLIT_AXIS_1: ggml_backend_meta_split_axis = 1;
pub const GGML_BACKEND_SPLIT_AXIS_2: ggml_backend_meta_split_axis = 2;
pub const GGML_BACKEND_SPLIT_AXIS_3: ggml_backend_meta_split_axis = 3;
pub const GGML_BACKEND_SPLIT_AXIS_MIRRORED: ggml_backend_meta_split_axis = 10;
pub const GGML_BACKEND_SPLIT_AXIS_PARTIAL: ggml_backend_meta_split_axis = 11;
pub const GGML_BACKEND_SPLIT_AXIS_NONE: ggml_backend_meta_split_axis = 98;
pub const GGML_BACKEND_SPLIT_AXIS_UNKNOWN: ggml_backend_meta_split_axis = 99;
pub type ggml_backend_meta_split_axis = CEnum;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_backend_meta_split_state {
    pub axis: ggml_backend_meta_split_axis,
    pub ne: [i64; 256usize],
    pub nr: [u32; 16usize],
    pub n_segments: u32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_backend_meta_split_state",
    ][::core::mem::size_of::<ggml_backend_meta_split_state>() - 2128usize];
    [
        "Alignment of ggml_backend_meta_split_state",
    ][::core::mem::align_of::<ggml_backend_meta_split_state>() - 8usize];
    [
        "Offset of field: ggml_backend_meta_split_state::axis",
    ][::core::mem::offset_of!(ggml_backend_meta_split_state, axis) - 0usize];
    [
        "Offset of field: ggml_backend_meta_split_state::ne",
    ][::core::mem::offset_of!(ggml_backend_meta_split_state, ne) - 8usize];
    [
        "Offset of field: ggml_backend_meta_split_state::nr",
    ][::core::mem::offset_of!(ggml_backend_meta_split_state, nr) - 2056usize];
    [
        "Offset of field: ggml_backend_meta_split_state::n_segments",
    ][::core::mem::offset_of!(ggml_backend_meta_split_state, n_segments) - 2120usize];
};
pub type ggml_backend_meta_get_split_state_t = ::core::option::Option<
    unsafe extern "C" fn(
        tensor: *const ggml_tensor,
        userdata: *mut ::core::ffi::c_void,
    ) -> ggml_backend_meta_split_state,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_backend_graph_copy {
    pub buffer: ggml_backend_buffer_t,
    pub ctx_allocated: *mut ggml_context,
    pub ctx_unallocated: *mut ggml_context,
    pub graph: *mut ggml_cgraph,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_backend_graph_copy",
    ][::core::mem::size_of::<ggml_backend_graph_copy>() - 32usize];
    [
        "Alignment of ggml_backend_graph_copy",
    ][::core::mem::align_of::<ggml_backend_graph_copy>() - 8usize];
    [
        "Offset of field: ggml_backend_graph_copy::buffer",
    ][::core::mem::offset_of!(ggml_backend_graph_copy, buffer) - 0usize];
    [
        "Offset of field: ggml_backend_graph_copy::ctx_allocated",
    ][::core::mem::offset_of!(ggml_backend_graph_copy, ctx_allocated) - 8usize];
    [
        "Offset of field: ggml_backend_graph_copy::ctx_unallocated",
    ][::core::mem::offset_of!(ggml_backend_graph_copy, ctx_unallocated) - 16usize];
    [
        "Offset of field: ggml_backend_graph_copy::graph",
    ][::core::mem::offset_of!(ggml_backend_graph_copy, graph) - 24usize];
};
pub type ggml_backend_eval_callback = ::core::option::Option<
    unsafe extern "C" fn(
        node_index: ::core::ffi::c_int,
        t1: *mut ggml_tensor,
        t2: *mut ggml_tensor,
        user_data: *mut ::core::ffi::c_void,
    ) -> bool,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_cplan {
    pub work_size: usize,
    pub work_data: *mut u8,
    pub n_threads: ::core::ffi::c_int,
    pub threadpool: *mut ggml_threadpool,
    pub abort_callback: ggml_abort_callback,
    pub abort_callback_data: *mut ::core::ffi::c_void,
    pub use_ref: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_cplan"][::core::mem::size_of::<ggml_cplan>() - 56usize];
    ["Alignment of ggml_cplan"][::core::mem::align_of::<ggml_cplan>() - 8usize];
    [
        "Offset of field: ggml_cplan::work_size",
    ][::core::mem::offset_of!(ggml_cplan, work_size) - 0usize];
    [
        "Offset of field: ggml_cplan::work_data",
    ][::core::mem::offset_of!(ggml_cplan, work_data) - 8usize];
    [
        "Offset of field: ggml_cplan::n_threads",
    ][::core::mem::offset_of!(ggml_cplan, n_threads) - 16usize];
    [
        "Offset of field: ggml_cplan::threadpool",
    ][::core::mem::offset_of!(ggml_cplan, threadpool) - 24usize];
    [
        "Offset of field: ggml_cplan::abort_callback",
    ][::core::mem::offset_of!(ggml_cplan, abort_callback) - 32usize];
    [
        "Offset of field: ggml_cplan::abort_callback_data",
    ][::core::mem::offset_of!(ggml_cplan, abort_callback_data) - 40usize];
    [
        "Offset of field: ggml_cplan::use_ref",
    ][::core::mem::offset_of!(ggml_cplan, use_ref) - 48usize];
};
pub const GGML_NUMA_STRATEGY_DISABLED: ggml_numa_strategy = 0;
pub const GGML_NUMA_STRATEGY_DISTRIBUTE: ggml_numa_strategy = 1;
pub const GGML_NUMA_STRATEGY_ISOLATE: ggml_numa_strategy = 2;
pub const GGML_NUMA_STRATEGY_NUMACTL: ggml_numa_strategy = 3;
pub const GGML_NUMA_STRATEGY_MIRROR: ggml_numa_strategy = 4;
pub const GGML_NUMA_STRATEGY_COUNT: ggml_numa_strategy = 5;
pub type ggml_numa_strategy = CEnum;
pub type ggml_vec_dot_t = ::core::option::Option<
    unsafe extern "C" fn(
        n: ::core::ffi::c_int,
        s: *mut f32,
        bs: usize,
        x: *const ::core::ffi::c_void,
        bx: usize,
        y: *const ::core::ffi::c_void,
        by: usize,
        nrc: ::core::ffi::c_int,
    ),
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_type_traits_cpu {
    pub from_float: ggml_from_float_t,
    pub vec_dot: ggml_vec_dot_t,
    pub vec_dot_type: ggml_type,
    pub nrows: i64,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_type_traits_cpu",
    ][::core::mem::size_of::<ggml_type_traits_cpu>() - 32usize];
    [
        "Alignment of ggml_type_traits_cpu",
    ][::core::mem::align_of::<ggml_type_traits_cpu>() - 8usize];
    [
        "Offset of field: ggml_type_traits_cpu::from_float",
    ][::core::mem::offset_of!(ggml_type_traits_cpu, from_float) - 0usize];
    [
        "Offset of field: ggml_type_traits_cpu::vec_dot",
    ][::core::mem::offset_of!(ggml_type_traits_cpu, vec_dot) - 8usize];
    [
        "Offset of field: ggml_type_traits_cpu::vec_dot_type",
    ][::core::mem::offset_of!(ggml_type_traits_cpu, vec_dot_type) - 16usize];
    [
        "Offset of field: ggml_type_traits_cpu::nrows",
    ][::core::mem::offset_of!(ggml_type_traits_cpu, nrows) - 24usize];
};
#[repr(C)]
#[derive(Debug)]
pub struct ggml_opt_dataset {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct ggml_opt_context {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct ggml_opt_result {
    _unused: [u8; 0],
}
pub type ggml_opt_dataset_t = *mut ggml_opt_dataset;
pub type ggml_opt_context_t = *mut ggml_opt_context;
pub type ggml_opt_result_t = *mut ggml_opt_result;
pub const GGML_OPT_LOSS_TYPE_MEAN: ggml_opt_loss_type = 0;
pub const GGML_OPT_LOSS_TYPE_SUM: ggml_opt_loss_type = 1;
pub const GGML_OPT_LOSS_TYPE_CROSS_ENTROPY: ggml_opt_loss_type = 2;
pub const GGML_OPT_LOSS_TYPE_MEAN_SQUARED_ERROR: ggml_opt_loss_type = 3;
pub type ggml_opt_loss_type = CEnum;
pub const GGML_OPT_BUILD_TYPE_FORWARD: ggml_opt_build_type = 10;
pub const GGML_OPT_BUILD_TYPE_GRAD: ggml_opt_build_type = 20;
pub const GGML_OPT_BUILD_TYPE_OPT: ggml_opt_build_type = 30;
pub type ggml_opt_build_type = CEnum;
pub const GGML_OPT_OPTIMIZER_TYPE_ADAMW: ggml_opt_optimizer_type = 0;
pub const GGML_OPT_OPTIMIZER_TYPE_SGD: ggml_opt_optimizer_type = 1;
pub const GGML_OPT_OPTIMIZER_TYPE_COUNT: ggml_opt_optimizer_type = 2;
pub type ggml_opt_optimizer_type = CEnum;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_opt_optimizer_params {
    pub adamw: ggml_opt_optimizer_params__bindgen_ty_1,
    pub sgd: ggml_opt_optimizer_params__bindgen_ty_2,
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_opt_optimizer_params__bindgen_ty_1 {
    pub alpha: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    pub wd: f32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_opt_optimizer_params__bindgen_ty_1",
    ][::core::mem::size_of::<ggml_opt_optimizer_params__bindgen_ty_1>() - 20usize];
    [
        "Alignment of ggml_opt_optimizer_params__bindgen_ty_1",
    ][::core::mem::align_of::<ggml_opt_optimizer_params__bindgen_ty_1>() - 4usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_1::alpha",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_1, alpha) - 0usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_1::beta1",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_1, beta1) - 4usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_1::beta2",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_1, beta2) - 8usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_1::eps",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_1, eps) - 12usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_1::wd",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_1, wd) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_opt_optimizer_params__bindgen_ty_2 {
    pub alpha: f32,
    pub wd: f32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_opt_optimizer_params__bindgen_ty_2",
    ][::core::mem::size_of::<ggml_opt_optimizer_params__bindgen_ty_2>() - 8usize];
    [
        "Alignment of ggml_opt_optimizer_params__bindgen_ty_2",
    ][::core::mem::align_of::<ggml_opt_optimizer_params__bindgen_ty_2>() - 4usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_2::alpha",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_2, alpha) - 0usize];
    [
        "Offset of field: ggml_opt_optimizer_params__bindgen_ty_2::wd",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params__bindgen_ty_2, wd) - 4usize];
};
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of ggml_opt_optimizer_params",
    ][::core::mem::size_of::<ggml_opt_optimizer_params>() - 28usize];
    [
        "Alignment of ggml_opt_optimizer_params",
    ][::core::mem::align_of::<ggml_opt_optimizer_params>() - 4usize];
    [
        "Offset of field: ggml_opt_optimizer_params::adamw",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params, adamw) - 0usize];
    [
        "Offset of field: ggml_opt_optimizer_params::sgd",
    ][::core::mem::offset_of!(ggml_opt_optimizer_params, sgd) - 20usize];
};
pub type ggml_opt_get_optimizer_params = ::core::option::Option<
    unsafe extern "C" fn(userdata: *mut ::core::ffi::c_void) -> ggml_opt_optimizer_params,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_opt_params {
    pub backend_sched: ggml_backend_sched_t,
    pub ctx_compute: *mut ggml_context,
    pub inputs: *mut ggml_tensor,
    pub outputs: *mut ggml_tensor,
    pub loss_type: ggml_opt_loss_type,
    pub build_type: ggml_opt_build_type,
    pub opt_period: i32,
    pub get_opt_pars: ggml_opt_get_optimizer_params,
    pub get_opt_pars_ud: *mut ::core::ffi::c_void,
    pub optimizer: ggml_opt_optimizer_type,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of ggml_opt_params"][::core::mem::size_of::<ggml_opt_params>() - 72usize];
    [
        "Alignment of ggml_opt_params",
    ][::core::mem::align_of::<ggml_opt_params>() - 8usize];
    [
        "Offset of field: ggml_opt_params::backend_sched",
    ][::core::mem::offset_of!(ggml_opt_params, backend_sched) - 0usize];
    [
        "Offset of field: ggml_opt_params::ctx_compute",
    ][::core::mem::offset_of!(ggml_opt_params, ctx_compute) - 8usize];
    [
        "Offset of field: ggml_opt_params::inputs",
    ][::core::mem::offset_of!(ggml_opt_params, inputs) - 16usize];
    [
        "Offset of field: ggml_opt_params::outputs",
    ][::core::mem::offset_of!(ggml_opt_params, outputs) - 24usize];
    [
        "Offset of field: ggml_opt_params::loss_type",
    ][::core::mem::offset_of!(ggml_opt_params, loss_type) - 32usize];
    [
        "Offset of field: ggml_opt_params::build_type",
    ][::core::mem::offset_of!(ggml_opt_params, build_type) - 36usize];
    [
        "Offset of field: ggml_opt_params::opt_period",
    ][::core::mem::offset_of!(ggml_opt_params, opt_period) - 40usize];
    [
        "Offset of field: ggml_opt_params::get_opt_pars",
    ][::core::mem::offset_of!(ggml_opt_params, get_opt_pars) - 48usize];
    [
        "Offset of field: ggml_opt_params::get_opt_pars_ud",
    ][::core::mem::offset_of!(ggml_opt_params, get_opt_pars_ud) - 56usize];
    [
        "Offset of field: ggml_opt_params::optimizer",
    ][::core::mem::offset_of!(ggml_opt_params, optimizer) - 64usize];
};
pub type ggml_opt_epoch_callback = ::core::option::Option<
    unsafe extern "C" fn(
        train: bool,
        opt_ctx: ggml_opt_context_t,
        dataset: ggml_opt_dataset_t,
        result: ggml_opt_result_t,
        ibatch: i64,
        ibatch_max: i64,
        t_start_us: i64,
    ),
>;
pub const GGUF_TYPE_UINT8: gguf_type = 0;
pub const GGUF_TYPE_INT8: gguf_type = 1;
pub const GGUF_TYPE_UINT16: gguf_type = 2;
pub const GGUF_TYPE_INT16: gguf_type = 3;
pub const GGUF_TYPE_UINT32: gguf_type = 4;
pub const GGUF_TYPE_INT32: gguf_type = 5;
pub const GGUF_TYPE_FLOAT32: gguf_type = 6;
pub const GGUF_TYPE_BOOL: gguf_type = 7;
pub const GGUF_TYPE_STRING: gguf_type = 8;
pub const GGUF_TYPE_ARRAY: gguf_type = 9;
pub const GGUF_TYPE_UINT64: gguf_type = 10;
pub const GGUF_TYPE_INT64: gguf_type = 11;
pub const GGUF_TYPE_FLOAT64: gguf_type = 12;
pub const GGUF_TYPE_COUNT: gguf_type = 13;
pub type gguf_type = CEnum;
#[repr(C)]
#[derive(Debug)]
pub struct gguf_context {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct gguf_init_params {
    pub no_alloc: bool,
    pub ctx: *mut *mut ggml_context,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of gguf_init_params"][::core::mem::size_of::<gguf_init_params>() - 16usize];
    [
        "Alignment of gguf_init_params",
    ][::core::mem::align_of::<gguf_init_params>() - 8usize];
    [
        "Offset of field: gguf_init_params::no_alloc",
    ][::core::mem::offset_of!(gguf_init_params, no_alloc) - 0usize];
    [
        "Offset of field: gguf_init_params::ctx",
    ][::core::mem::offset_of!(gguf_init_params, ctx) - 8usize];
};
pub type gguf_reader_callback_t = ::core::option::Option<
    unsafe extern "C" fn(
        userdata: *mut ::core::ffi::c_void,
        output: *mut ::core::ffi::c_void,
        offset: u64,
        len: usize,
    ) -> usize,
>;
#[repr(C)]
#[derive(Debug)]
pub struct llama_vocab {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct llama_model {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct llama_context {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug)]
pub struct llama_memory_i {
    _unused: [u8; 0],
}
pub type llama_memory_t = *mut llama_memory_i;
pub type llama_pos = i32;
pub type llama_token = i32;
pub type llama_seq_id = i32;
pub const LLAMA_VOCAB_TYPE_NONE: llama_vocab_type = 0;
pub const LLAMA_VOCAB_TYPE_SPM: llama_vocab_type = 1;
pub const LLAMA_VOCAB_TYPE_BPE: llama_vocab_type = 2;
pub const LLAMA_VOCAB_TYPE_WPM: llama_vocab_type = 3;
pub const LLAMA_VOCAB_TYPE_UGM: llama_vocab_type = 4;
pub const LLAMA_VOCAB_TYPE_RWKV: llama_vocab_type = 5;
pub const LLAMA_VOCAB_TYPE_PLAMO2: llama_vocab_type = 6;
pub const LLAMA_VOCAB_TYPE_TEST: llama_vocab_type = 7;
pub const LLAMA_VOCAB_TYPE_PLAMO3: llama_vocab_type = 8;
pub type llama_vocab_type = CEnum;
pub const LLAMA_ROPE_TYPE_NONE: llama_rope_type = -1;
pub const LLAMA_ROPE_TYPE_NORM: llama_rope_type = 0;
pub const LLAMA_ROPE_TYPE_NEOX: llama_rope_type = 2;
pub const LLAMA_ROPE_TYPE_MROPE: llama_rope_type = 8;
pub const LLAMA_ROPE_TYPE_IMROPE: llama_rope_type = 40;
pub const LLAMA_ROPE_TYPE_VISION: llama_rope_type = 24;
pub type llama_rope_type = ::core::ffi::c_int;
pub const LLAMA_TOKEN_TYPE_UNDEFINED: llama_token_type = 0;
pub const LLAMA_TOKEN_TYPE_NORMAL: llama_token_type = 1;
pub const LLAMA_TOKEN_TYPE_UNKNOWN: llama_token_type = 2;
pub const LLAMA_TOKEN_TYPE_CONTROL: llama_token_type = 3;
pub const LLAMA_TOKEN_TYPE_USER_DEFINED: llama_token_type = 4;
pub const LLAMA_TOKEN_TYPE_UNUSED: llama_token_type = 5;
pub const LLAMA_TOKEN_TYPE_BYTE: llama_token_type = 6;
pub type llama_token_type = CEnum;
pub const LLAMA_TOKEN_ATTR_UNDEFINED: llama_token_attr = 0;
pub const LLAMA_TOKEN_ATTR_UNKNOWN: llama_token_attr = 1;
pub const LLAMA_TOKEN_ATTR_UNUSED: llama_token_attr = 2;
pub const LLAMA_TOKEN_ATTR_NORMAL: llama_token_attr = 4;
pub const LLAMA_TOKEN_ATTR_CONTROL: llama_token_attr = 8;
pub const LLAMA_TOKEN_ATTR_USER_DEFINED: llama_token_attr = 16;
pub const LLAMA_TOKEN_ATTR_BYTE: llama_token_attr = 32;
pub const LLAMA_TOKEN_ATTR_NORMALIZED: llama_token_attr = 64;
pub const LLAMA_TOKEN_ATTR_LSTRIP: llama_token_attr = 128;
pub const LLAMA_TOKEN_ATTR_RSTRIP: llama_token_attr = 256;
pub const LLAMA_TOKEN_ATTR_SINGLE_WORD: llama_token_attr = 512;
pub type llama_token_attr = CEnum;
pub const LLAMA_FTYPE_ALL_F32: llama_ftype = 0;
pub const LLAMA_FTYPE_MOSTLY_F16: llama_ftype = 1;
pub const LLAMA_FTYPE_MOSTLY_Q4_0: llama_ftype = 2;
pub const LLAMA_FTYPE_MOSTLY_Q4_1: llama_ftype = 3;
pub const LLAMA_FTYPE_MOSTLY_Q8_0: llama_ftype = 7;
pub const LLAMA_FTYPE_MOSTLY_Q5_0: llama_ftype = 8;
pub const LLAMA_FTYPE_MOSTLY_Q5_1: llama_ftype = 9;
pub const LLAMA_FTYPE_MOSTLY_Q2_K: llama_ftype = 10;
pub const LLAMA_FTYPE_MOSTLY_Q3_K_S: llama_ftype = 11;
pub const LLAMA_FTYPE_MOSTLY_Q3_K_M: llama_ftype = 12;
pub const LLAMA_FTYPE_MOSTLY_Q3_K_L: llama_ftype = 13;
pub const LLAMA_FTYPE_MOSTLY_Q4_K_S: llama_ftype = 14;
pub const LLAMA_FTYPE_MOSTLY_Q4_K_M: llama_ftype = 15;
pub const LLAMA_FTYPE_MOSTLY_Q5_K_S: llama_ftype = 16;
pub const LLAMA_FTYPE_MOSTLY_Q5_K_M: llama_ftype = 17;
pub const LLAMA_FTYPE_MOSTLY_Q6_K: llama_ftype = 18;
pub const LLAMA_FTYPE_MOSTLY_IQ2_XXS: llama_ftype = 19;
pub const LLAMA_FTYPE_MOSTLY_IQ2_XS: llama_ftype = 20;
pub const LLAMA_FTYPE_MOSTLY_Q2_K_S: llama_ftype = 21;
pub const LLAMA_FTYPE_MOSTLY_IQ3_XS: llama_ftype = 22;
pub const LLAMA_FTYPE_MOSTLY_IQ3_XXS: llama_ftype = 23;
pub const LLAMA_FTYPE_MOSTLY_IQ1_S: llama_ftype = 24;
pub const LLAMA_FTYPE_MOSTLY_IQ4_NL: llama_ftype = 25;
pub const LLAMA_FTYPE_MOSTLY_IQ3_S: llama_ftype = 26;
pub const LLAMA_FTYPE_MOSTLY_IQ3_M: llama_ftype = 27;
pub const LLAMA_FTYPE_MOSTLY_IQ2_S: llama_ftype = 28;
pub const LLAMA_FTYPE_MOSTLY_IQ2_M: llama_ftype = 29;
pub const LLAMA_FTYPE_MOSTLY_IQ4_XS: llama_ftype = 30;
pub const LLAMA_FTYPE_MOSTLY_IQ1_M: llama_ftype = 31;
pub const LLAMA_FTYPE_MOSTLY_BF16: llama_ftype = 32;
pub const LLAMA_FTYPE_MOSTLY_TQ1_0: llama_ftype = 36;
pub const LLAMA_FTYPE_MOSTLY_TQ2_0: llama_ftype = 37;
pub const LLAMA_FTYPE_MOSTLY_MXFP4_MOE: llama_ftype = 38;
pub const LLAMA_FTYPE_MOSTLY_NVFP4: llama_ftype = 39;
pub const LLAMA_FTYPE_MOSTLY_Q1_0: llama_ftype = 40;
pub const LLAMA_FTYPE_MOSTLY_Q2_0: llama_ftype = 41;
pub const LLAMA_FTYPE_GUESSED: llama_ftype = 1024;
pub type llama_ftype = CEnum;
pub const LLAMA_ROPE_SCALING_TYPE_UNSPECIFIED: llama_rope_scaling_type = -1;
pub const LLAMA_ROPE_SCALING_TYPE_NONE: llama_rope_scaling_type = 0;
pub const LLAMA_ROPE_SCALING_TYPE_LINEAR: llama_rope_scaling_type = 1;
pub const LLAMA_ROPE_SCALING_TYPE_YARN: llama_rope_scaling_type = 2;
pub const LLAMA_ROPE_SCALING_TYPE_LONGROPE: llama_rope_scaling_type = 3;
pub const LLAMA_ROPE_SCALING_TYPE_MAX_VALUE: llama_rope_scaling_type = 3;
pub type llama_rope_scaling_type = ::core::ffi::c_int;
pub const LLAMA_POOLING_TYPE_UNSPECIFIED: llama_pooling_type = -1;
pub const LLAMA_POOLING_TYPE_NONE: llama_pooling_type = 0;
pub const LLAMA_POOLING_TYPE_MEAN: llama_pooling_type = 1;
pub const LLAMA_POOLING_TYPE_CLS: llama_pooling_type = 2;
pub const LLAMA_POOLING_TYPE_LAST: llama_pooling_type = 3;
pub const LLAMA_POOLING_TYPE_RANK: llama_pooling_type = 4;
pub type llama_pooling_type = ::core::ffi::c_int;
pub const LLAMA_ATTENTION_TYPE_UNSPECIFIED: llama_attention_type = -1;
pub const LLAMA_ATTENTION_TYPE_CAUSAL: llama_attention_type = 0;
pub const LLAMA_ATTENTION_TYPE_NON_CAUSAL: llama_attention_type = 1;
pub type llama_attention_type = ::core::ffi::c_int;
pub const LLAMA_FLASH_ATTN_TYPE_AUTO: llama_flash_attn_type = -1;
pub const LLAMA_FLASH_ATTN_TYPE_DISABLED: llama_flash_attn_type = 0;
pub const LLAMA_FLASH_ATTN_TYPE_ENABLED: llama_flash_attn_type = 1;
pub type llama_flash_attn_type = ::core::ffi::c_int;
pub const LLAMA_SPLIT_MODE_NONE: llama_split_mode = 0;
pub const LLAMA_SPLIT_MODE_LAYER: llama_split_mode = 1;
pub const LLAMA_SPLIT_MODE_ROW: llama_split_mode = 2;
pub const LLAMA_SPLIT_MODE_TENSOR: llama_split_mode = 3;
pub type llama_split_mode = CEnum;
pub const LLAMA_LOAD_MODE_AUTO: llama_load_mode = -1;
pub const LLAMA_LOAD_MODE_NONE: llama_load_mode = 0;
pub const LLAMA_LOAD_MODE_MMAP: llama_load_mode = 1;
pub const LLAMA_LOAD_MODE_MLOCK: llama_load_mode = 2;
pub const LLAMA_LOAD_MODE_MMAP_MLOCK: llama_load_mode = 3;
pub const LLAMA_LOAD_MODE_DIRECT_IO: llama_load_mode = 4;
pub type llama_load_mode = ::core::ffi::c_int;
pub const LLAMA_LAZY_MODE_OFF: llama_lazy_mode = 0;
pub const LLAMA_LAZY_MODE_AUTO: llama_lazy_mode = 1;
pub const LLAMA_LAZY_MODE_ON: llama_lazy_mode = 2;
pub type llama_lazy_mode = CEnum;
pub const LLAMA_CONTEXT_TYPE_DEFAULT: llama_context_type = 0;
pub const LLAMA_CONTEXT_TYPE_MTP: llama_context_type = 1;
pub type llama_context_type = CEnum;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_token_data {
    pub id: llama_token,
    pub logit: f32,
    pub p: f32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_token_data"][::core::mem::size_of::<llama_token_data>() - 12usize];
    [
        "Alignment of llama_token_data",
    ][::core::mem::align_of::<llama_token_data>() - 4usize];
    [
        "Offset of field: llama_token_data::id",
    ][::core::mem::offset_of!(llama_token_data, id) - 0usize];
    [
        "Offset of field: llama_token_data::logit",
    ][::core::mem::offset_of!(llama_token_data, logit) - 4usize];
    [
        "Offset of field: llama_token_data::p",
    ][::core::mem::offset_of!(llama_token_data, p) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_token_data_array {
    pub data: *mut llama_token_data,
    pub size: usize,
    pub selected: i64,
    pub sorted: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_token_data_array",
    ][::core::mem::size_of::<llama_token_data_array>() - 32usize];
    [
        "Alignment of llama_token_data_array",
    ][::core::mem::align_of::<llama_token_data_array>() - 8usize];
    [
        "Offset of field: llama_token_data_array::data",
    ][::core::mem::offset_of!(llama_token_data_array, data) - 0usize];
    [
        "Offset of field: llama_token_data_array::size",
    ][::core::mem::offset_of!(llama_token_data_array, size) - 8usize];
    [
        "Offset of field: llama_token_data_array::selected",
    ][::core::mem::offset_of!(llama_token_data_array, selected) - 16usize];
    [
        "Offset of field: llama_token_data_array::sorted",
    ][::core::mem::offset_of!(llama_token_data_array, sorted) - 24usize];
};
pub type llama_progress_callback = ::core::option::Option<
    unsafe extern "C" fn(progress: f32, user_data: *mut ::core::ffi::c_void) -> bool,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_batch {
    pub n_tokens: i32,
    pub token: *mut llama_token,
    pub embd: *mut f32,
    pub pos: *mut llama_pos,
    pub n_seq_id: *mut i32,
    pub seq_id: *mut *mut llama_seq_id,
    pub logits: *mut i8,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_batch"][::core::mem::size_of::<llama_batch>() - 56usize];
    ["Alignment of llama_batch"][::core::mem::align_of::<llama_batch>() - 8usize];
    [
        "Offset of field: llama_batch::n_tokens",
    ][::core::mem::offset_of!(llama_batch, n_tokens) - 0usize];
    [
        "Offset of field: llama_batch::token",
    ][::core::mem::offset_of!(llama_batch, token) - 8usize];
    [
        "Offset of field: llama_batch::embd",
    ][::core::mem::offset_of!(llama_batch, embd) - 16usize];
    [
        "Offset of field: llama_batch::pos",
    ][::core::mem::offset_of!(llama_batch, pos) - 24usize];
    [
        "Offset of field: llama_batch::n_seq_id",
    ][::core::mem::offset_of!(llama_batch, n_seq_id) - 32usize];
    [
        "Offset of field: llama_batch::seq_id",
    ][::core::mem::offset_of!(llama_batch, seq_id) - 40usize];
    [
        "Offset of field: llama_batch::logits",
    ][::core::mem::offset_of!(llama_batch, logits) - 48usize];
};
pub const LLAMA_KV_OVERRIDE_TYPE_INT: llama_model_kv_override_type = 0;
pub const LLAMA_KV_OVERRIDE_TYPE_FLOAT: llama_model_kv_override_type = 1;
pub const LLAMA_KV_OVERRIDE_TYPE_BOOL: llama_model_kv_override_type = 2;
pub const LLAMA_KV_OVERRIDE_TYPE_STR: llama_model_kv_override_type = 3;
pub type llama_model_kv_override_type = CEnum;
pub const LLAMA_MODEL_META_KEY_SAMPLING_SEQUENCE: llama_model_meta_key = 0;
pub const LLAMA_MODEL_META_KEY_SAMPLING_TOP_K: llama_model_meta_key = 1;
pub const LLAMA_MODEL_META_KEY_SAMPLING_TOP_P: llama_model_meta_key = 2;
pub const LLAMA_MODEL_META_KEY_SAMPLING_MIN_P: llama_model_meta_key = 3;
pub const LLAMA_MODEL_META_KEY_SAMPLING_XTC_PROBABILITY: llama_model_meta_key = 4;
pub const LLAMA_MODEL_META_KEY_SAMPLING_XTC_THRESHOLD: llama_model_meta_key = 5;
pub const LLAMA_MODEL_META_KEY_SAMPLING_TEMP: llama_model_meta_key = 6;
pub const LLAMA_MODEL_META_KEY_SAMPLING_PENALTY_LAST_N: llama_model_meta_key = 7;
pub const LLAMA_MODEL_META_KEY_SAMPLING_PENALTY_REPEAT: llama_model_meta_key = 8;
pub const LLAMA_MODEL_META_KEY_SAMPLING_MIROSTAT: llama_model_meta_key = 9;
pub const LLAMA_MODEL_META_KEY_SAMPLING_MIROSTAT_TAU: llama_model_meta_key = 10;
pub const LLAMA_MODEL_META_KEY_SAMPLING_MIROSTAT_ETA: llama_model_meta_key = 11;
pub type llama_model_meta_key = CEnum;
pub const LLAMA_PROCESS_TYPE_ENCODE: llama_process_type = 0;
pub const LLAMA_PROCESS_TYPE_DECODE: llama_process_type = 1;
pub type llama_process_type = CEnum;
#[repr(C)]
#[derive(Copy, Clone)]
pub struct llama_model_kv_override {
    pub tag: llama_model_kv_override_type,
    pub key: [::core::ffi::c_char; 128usize],
    pub __bindgen_anon_1: llama_model_kv_override__bindgen_ty_1,
}
#[repr(C)]
#[derive(Copy, Clone)]
pub union llama_model_kv_override__bindgen_ty_1 {
    pub val_i64: i64,
    pub val_f64: f64,
    pub val_bool: bool,
    pub val_str: [::core::ffi::c_char; 128usize],
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_kv_override__bindgen_ty_1",
    ][::core::mem::size_of::<llama_model_kv_override__bindgen_ty_1>() - 128usize];
    [
        "Alignment of llama_model_kv_override__bindgen_ty_1",
    ][::core::mem::align_of::<llama_model_kv_override__bindgen_ty_1>() - 8usize];
    [
        "Offset of field: llama_model_kv_override__bindgen_ty_1::val_i64",
    ][::core::mem::offset_of!(llama_model_kv_override__bindgen_ty_1, val_i64) - 0usize];
    [
        "Offset of field: llama_model_kv_override__bindgen_ty_1::val_f64",
    ][::core::mem::offset_of!(llama_model_kv_override__bindgen_ty_1, val_f64) - 0usize];
    [
        "Offset of field: llama_model_kv_override__bindgen_ty_1::val_bool",
    ][::core::mem::offset_of!(llama_model_kv_override__bindgen_ty_1, val_bool) - 0usize];
    [
        "Offset of field: llama_model_kv_override__bindgen_ty_1::val_str",
    ][::core::mem::offset_of!(llama_model_kv_override__bindgen_ty_1, val_str) - 0usize];
};
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_kv_override",
    ][::core::mem::size_of::<llama_model_kv_override>() - 264usize];
    [
        "Alignment of llama_model_kv_override",
    ][::core::mem::align_of::<llama_model_kv_override>() - 8usize];
    [
        "Offset of field: llama_model_kv_override::tag",
    ][::core::mem::offset_of!(llama_model_kv_override, tag) - 0usize];
    [
        "Offset of field: llama_model_kv_override::key",
    ][::core::mem::offset_of!(llama_model_kv_override, key) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_model_tensor_buft_override {
    pub pattern: *const ::core::ffi::c_char,
    pub buft: ggml_backend_buffer_type_t,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_tensor_buft_override",
    ][::core::mem::size_of::<llama_model_tensor_buft_override>() - 16usize];
    [
        "Alignment of llama_model_tensor_buft_override",
    ][::core::mem::align_of::<llama_model_tensor_buft_override>() - 8usize];
    [
        "Offset of field: llama_model_tensor_buft_override::pattern",
    ][::core::mem::offset_of!(llama_model_tensor_buft_override, pattern) - 0usize];
    [
        "Offset of field: llama_model_tensor_buft_override::buft",
    ][::core::mem::offset_of!(llama_model_tensor_buft_override, buft) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_model_params {
    pub devices: *mut ggml_backend_dev_t,
    pub tensor_buft_overrides: *const llama_model_tensor_buft_override,
    pub n_gpu_layers: i32,
    pub split_mode: llama_split_mode,
    pub load_mode: llama_load_mode,
    pub lazy_mode: llama_lazy_mode,
    pub main_gpu: i32,
    pub tensor_split: *const f32,
    pub progress_callback: llama_progress_callback,
    pub progress_callback_user_data: *mut ::core::ffi::c_void,
    pub kv_overrides: *const llama_model_kv_override,
    pub vocab_only: bool,
    pub check_tensors: bool,
    pub use_extra_bufts: bool,
    pub no_host: bool,
    pub no_alloc: bool,
    pub load_mtp: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_params",
    ][::core::mem::size_of::<llama_model_params>() - 80usize];
    [
        "Alignment of llama_model_params",
    ][::core::mem::align_of::<llama_model_params>() - 8usize];
    [
        "Offset of field: llama_model_params::devices",
    ][::core::mem::offset_of!(llama_model_params, devices) - 0usize];
    [
        "Offset of field: llama_model_params::tensor_buft_overrides",
    ][::core::mem::offset_of!(llama_model_params, tensor_buft_overrides) - 8usize];
    [
        "Offset of field: llama_model_params::n_gpu_layers",
    ][::core::mem::offset_of!(llama_model_params, n_gpu_layers) - 16usize];
    [
        "Offset of field: llama_model_params::split_mode",
    ][::core::mem::offset_of!(llama_model_params, split_mode) - 20usize];
    [
        "Offset of field: llama_model_params::load_mode",
    ][::core::mem::offset_of!(llama_model_params, load_mode) - 24usize];
    [
        "Offset of field: llama_model_params::lazy_mode",
    ][::core::mem::offset_of!(llama_model_params, lazy_mode) - 28usize];
    [
        "Offset of field: llama_model_params::main_gpu",
    ][::core::mem::offset_of!(llama_model_params, main_gpu) - 32usize];
    [
        "Offset of field: llama_model_params::tensor_split",
    ][::core::mem::offset_of!(llama_model_params, tensor_split) - 40usize];
    [
        "Offset of field: llama_model_params::progress_callback",
    ][::core::mem::offset_of!(llama_model_params, progress_callback) - 48usize];
    [
        "Offset of field: llama_model_params::progress_callback_user_data",
    ][::core::mem::offset_of!(llama_model_params, progress_callback_user_data)
        - 56usize];
    [
        "Offset of field: llama_model_params::kv_overrides",
    ][::core::mem::offset_of!(llama_model_params, kv_overrides) - 64usize];
    [
        "Offset of field: llama_model_params::vocab_only",
    ][::core::mem::offset_of!(llama_model_params, vocab_only) - 72usize];
    [
        "Offset of field: llama_model_params::check_tensors",
    ][::core::mem::offset_of!(llama_model_params, check_tensors) - 73usize];
    [
        "Offset of field: llama_model_params::use_extra_bufts",
    ][::core::mem::offset_of!(llama_model_params, use_extra_bufts) - 74usize];
    [
        "Offset of field: llama_model_params::no_host",
    ][::core::mem::offset_of!(llama_model_params, no_host) - 75usize];
    [
        "Offset of field: llama_model_params::no_alloc",
    ][::core::mem::offset_of!(llama_model_params, no_alloc) - 76usize];
    [
        "Offset of field: llama_model_params::load_mtp",
    ][::core::mem::offset_of!(llama_model_params, load_mtp) - 77usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_sampler_seq_config {
    pub seq_id: llama_seq_id,
    pub sampler: *mut llama_sampler,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_sampler_seq_config",
    ][::core::mem::size_of::<llama_sampler_seq_config>() - 16usize];
    [
        "Alignment of llama_sampler_seq_config",
    ][::core::mem::align_of::<llama_sampler_seq_config>() - 8usize];
    [
        "Offset of field: llama_sampler_seq_config::seq_id",
    ][::core::mem::offset_of!(llama_sampler_seq_config, seq_id) - 0usize];
    [
        "Offset of field: llama_sampler_seq_config::sampler",
    ][::core::mem::offset_of!(llama_sampler_seq_config, sampler) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_context_params {
    pub n_ctx: u32,
    pub n_batch: u32,
    pub n_ubatch: u32,
    pub n_seq_max: u32,
    pub n_rs_seq: u32,
    pub n_outputs_max: u32,
    pub n_outputs_max_per_seq: u32,
    pub n_threads: i32,
    pub n_threads_batch: i32,
    pub ctx_type: llama_context_type,
    pub rope_scaling_type: llama_rope_scaling_type,
    pub pooling_type: llama_pooling_type,
    pub attention_type: llama_attention_type,
    pub flash_attn_type: llama_flash_attn_type,
    pub rope_freq_base: f32,
    pub rope_freq_scale: f32,
    pub yarn_ext_factor: f32,
    pub yarn_attn_factor: f32,
    pub yarn_beta_fast: f32,
    pub yarn_beta_slow: f32,
    pub yarn_orig_ctx: u32,
    pub defrag_thold: f32,
    pub cb_eval: ggml_backend_sched_eval_callback,
    pub cb_eval_user_data: *mut ::core::ffi::c_void,
    pub type_k: ggml_type,
    pub type_v: ggml_type,
    pub moe_cache_size: usize,
    pub abort_callback: ggml_abort_callback,
    pub abort_callback_data: *mut ::core::ffi::c_void,
    pub embeddings: bool,
    pub offload_kqv: bool,
    pub no_perf: bool,
    pub op_offload: bool,
    pub swa_full: bool,
    pub kv_unified: bool,
    pub samplers: *mut llama_sampler_seq_config,
    pub n_samplers: usize,
    pub ctx_other: *mut llama_context,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_context_params",
    ][::core::mem::size_of::<llama_context_params>() - 168usize];
    [
        "Alignment of llama_context_params",
    ][::core::mem::align_of::<llama_context_params>() - 8usize];
    [
        "Offset of field: llama_context_params::n_ctx",
    ][::core::mem::offset_of!(llama_context_params, n_ctx) - 0usize];
    [
        "Offset of field: llama_context_params::n_batch",
    ][::core::mem::offset_of!(llama_context_params, n_batch) - 4usize];
    [
        "Offset of field: llama_context_params::n_ubatch",
    ][::core::mem::offset_of!(llama_context_params, n_ubatch) - 8usize];
    [
        "Offset of field: llama_context_params::n_seq_max",
    ][::core::mem::offset_of!(llama_context_params, n_seq_max) - 12usize];
    [
        "Offset of field: llama_context_params::n_rs_seq",
    ][::core::mem::offset_of!(llama_context_params, n_rs_seq) - 16usize];
    [
        "Offset of field: llama_context_params::n_outputs_max",
    ][::core::mem::offset_of!(llama_context_params, n_outputs_max) - 20usize];
    [
        "Offset of field: llama_context_params::n_outputs_max_per_seq",
    ][::core::mem::offset_of!(llama_context_params, n_outputs_max_per_seq) - 24usize];
    [
        "Offset of field: llama_context_params::n_threads",
    ][::core::mem::offset_of!(llama_context_params, n_threads) - 28usize];
    [
        "Offset of field: llama_context_params::n_threads_batch",
    ][::core::mem::offset_of!(llama_context_params, n_threads_batch) - 32usize];
    [
        "Offset of field: llama_context_params::ctx_type",
    ][::core::mem::offset_of!(llama_context_params, ctx_type) - 36usize];
    [
        "Offset of field: llama_context_params::rope_scaling_type",
    ][::core::mem::offset_of!(llama_context_params, rope_scaling_type) - 40usize];
    [
        "Offset of field: llama_context_params::pooling_type",
    ][::core::mem::offset_of!(llama_context_params, pooling_type) - 44usize];
    [
        "Offset of field: llama_context_params::attention_type",
    ][::core::mem::offset_of!(llama_context_params, attention_type) - 48usize];
    [
        "Offset of field: llama_context_params::flash_attn_type",
    ][::core::mem::offset_of!(llama_context_params, flash_attn_type) - 52usize];
    [
        "Offset of field: llama_context_params::rope_freq_base",
    ][::core::mem::offset_of!(llama_context_params, rope_freq_base) - 56usize];
    [
        "Offset of field: llama_context_params::rope_freq_scale",
    ][::core::mem::offset_of!(llama_context_params, rope_freq_scale) - 60usize];
    [
        "Offset of field: llama_context_params::yarn_ext_factor",
    ][::core::mem::offset_of!(llama_context_params, yarn_ext_factor) - 64usize];
    [
        "Offset of field: llama_context_params::yarn_attn_factor",
    ][::core::mem::offset_of!(llama_context_params, yarn_attn_factor) - 68usize];
    [
        "Offset of field: llama_context_params::yarn_beta_fast",
    ][::core::mem::offset_of!(llama_context_params, yarn_beta_fast) - 72usize];
    [
        "Offset of field: llama_context_params::yarn_beta_slow",
    ][::core::mem::offset_of!(llama_context_params, yarn_beta_slow) - 76usize];
    [
        "Offset of field: llama_context_params::yarn_orig_ctx",
    ][::core::mem::offset_of!(llama_context_params, yarn_orig_ctx) - 80usize];
    [
        "Offset of field: llama_context_params::defrag_thold",
    ][::core::mem::offset_of!(llama_context_params, defrag_thold) - 84usize];
    [
        "Offset of field: llama_context_params::cb_eval",
    ][::core::mem::offset_of!(llama_context_params, cb_eval) - 88usize];
    [
        "Offset of field: llama_context_params::cb_eval_user_data",
    ][::core::mem::offset_of!(llama_context_params, cb_eval_user_data) - 96usize];
    [
        "Offset of field: llama_context_params::type_k",
    ][::core::mem::offset_of!(llama_context_params, type_k) - 104usize];
    [
        "Offset of field: llama_context_params::type_v",
    ][::core::mem::offset_of!(llama_context_params, type_v) - 108usize];
    [
        "Offset of field: llama_context_params::moe_cache_size",
    ][::core::mem::offset_of!(llama_context_params, moe_cache_size) - 112usize];
    [
        "Offset of field: llama_context_params::abort_callback",
    ][::core::mem::offset_of!(llama_context_params, abort_callback) - 120usize];
    [
        "Offset of field: llama_context_params::abort_callback_data",
    ][::core::mem::offset_of!(llama_context_params, abort_callback_data) - 128usize];
    [
        "Offset of field: llama_context_params::embeddings",
    ][::core::mem::offset_of!(llama_context_params, embeddings) - 136usize];
    [
        "Offset of field: llama_context_params::offload_kqv",
    ][::core::mem::offset_of!(llama_context_params, offload_kqv) - 137usize];
    [
        "Offset of field: llama_context_params::no_perf",
    ][::core::mem::offset_of!(llama_context_params, no_perf) - 138usize];
    [
        "Offset of field: llama_context_params::op_offload",
    ][::core::mem::offset_of!(llama_context_params, op_offload) - 139usize];
    [
        "Offset of field: llama_context_params::swa_full",
    ][::core::mem::offset_of!(llama_context_params, swa_full) - 140usize];
    [
        "Offset of field: llama_context_params::kv_unified",
    ][::core::mem::offset_of!(llama_context_params, kv_unified) - 141usize];
    [
        "Offset of field: llama_context_params::samplers",
    ][::core::mem::offset_of!(llama_context_params, samplers) - 144usize];
    [
        "Offset of field: llama_context_params::n_samplers",
    ][::core::mem::offset_of!(llama_context_params, n_samplers) - 152usize];
    [
        "Offset of field: llama_context_params::ctx_other",
    ][::core::mem::offset_of!(llama_context_params, ctx_other) - 160usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_model_tensor_override {
    pub pattern: *const ::core::ffi::c_char,
    pub type_: ggml_type,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_tensor_override",
    ][::core::mem::size_of::<llama_model_tensor_override>() - 16usize];
    [
        "Alignment of llama_model_tensor_override",
    ][::core::mem::align_of::<llama_model_tensor_override>() - 8usize];
    [
        "Offset of field: llama_model_tensor_override::pattern",
    ][::core::mem::offset_of!(llama_model_tensor_override, pattern) - 0usize];
    [
        "Offset of field: llama_model_tensor_override::type_",
    ][::core::mem::offset_of!(llama_model_tensor_override, type_) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_model_imatrix_data {
    pub name: *const ::core::ffi::c_char,
    pub data: *const f32,
    pub size: usize,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_imatrix_data",
    ][::core::mem::size_of::<llama_model_imatrix_data>() - 24usize];
    [
        "Alignment of llama_model_imatrix_data",
    ][::core::mem::align_of::<llama_model_imatrix_data>() - 8usize];
    [
        "Offset of field: llama_model_imatrix_data::name",
    ][::core::mem::offset_of!(llama_model_imatrix_data, name) - 0usize];
    [
        "Offset of field: llama_model_imatrix_data::data",
    ][::core::mem::offset_of!(llama_model_imatrix_data, data) - 8usize];
    [
        "Offset of field: llama_model_imatrix_data::size",
    ][::core::mem::offset_of!(llama_model_imatrix_data, size) - 16usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_model_quantize_params {
    pub nthread: i32,
    pub ftype: llama_ftype,
    pub output_tensor_type: ggml_type,
    pub token_embedding_type: ggml_type,
    pub allow_requantize: bool,
    pub quantize_output_tensor: bool,
    pub only_copy: bool,
    pub pure_: bool,
    pub keep_split: bool,
    pub dry_run: bool,
    pub imatrix: *const llama_model_imatrix_data,
    pub kv_overrides: *const llama_model_kv_override,
    pub tt_overrides: *const llama_model_tensor_override,
    pub prune_layers: *const i32,
    pub max_buf_size: usize,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_model_quantize_params",
    ][::core::mem::size_of::<llama_model_quantize_params>() - 64usize];
    [
        "Alignment of llama_model_quantize_params",
    ][::core::mem::align_of::<llama_model_quantize_params>() - 8usize];
    [
        "Offset of field: llama_model_quantize_params::nthread",
    ][::core::mem::offset_of!(llama_model_quantize_params, nthread) - 0usize];
    [
        "Offset of field: llama_model_quantize_params::ftype",
    ][::core::mem::offset_of!(llama_model_quantize_params, ftype) - 4usize];
    [
        "Offset of field: llama_model_quantize_params::output_tensor_type",
    ][::core::mem::offset_of!(llama_model_quantize_params, output_tensor_type) - 8usize];
    [
        "Offset of field: llama_model_quantize_params::token_embedding_type",
    ][::core::mem::offset_of!(llama_model_quantize_params, token_embedding_type)
        - 12usize];
    [
        "Offset of field: llama_model_quantize_params::allow_requantize",
    ][::core::mem::offset_of!(llama_model_quantize_params, allow_requantize) - 16usize];
    [
        "Offset of field: llama_model_quantize_params::quantize_output_tensor",
    ][::core::mem::offset_of!(llama_model_quantize_params, quantize_output_tensor)
        - 17usize];
    [
        "Offset of field: llama_model_quantize_params::only_copy",
    ][::core::mem::offset_of!(llama_model_quantize_params, only_copy) - 18usize];
    [
        "Offset of field: llama_model_quantize_params::pure_",
    ][::core::mem::offset_of!(llama_model_quantize_params, pure_) - 19usize];
    [
        "Offset of field: llama_model_quantize_params::keep_split",
    ][::core::mem::offset_of!(llama_model_quantize_params, keep_split) - 20usize];
    [
        "Offset of field: llama_model_quantize_params::dry_run",
    ][::core::mem::offset_of!(llama_model_quantize_params, dry_run) - 21usize];
    [
        "Offset of field: llama_model_quantize_params::imatrix",
    ][::core::mem::offset_of!(llama_model_quantize_params, imatrix) - 24usize];
    [
        "Offset of field: llama_model_quantize_params::kv_overrides",
    ][::core::mem::offset_of!(llama_model_quantize_params, kv_overrides) - 32usize];
    [
        "Offset of field: llama_model_quantize_params::tt_overrides",
    ][::core::mem::offset_of!(llama_model_quantize_params, tt_overrides) - 40usize];
    [
        "Offset of field: llama_model_quantize_params::prune_layers",
    ][::core::mem::offset_of!(llama_model_quantize_params, prune_layers) - 48usize];
    [
        "Offset of field: llama_model_quantize_params::max_buf_size",
    ][::core::mem::offset_of!(llama_model_quantize_params, max_buf_size) - 56usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_logit_bias {
    pub token: llama_token,
    pub bias: f32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_logit_bias"][::core::mem::size_of::<llama_logit_bias>() - 8usize];
    [
        "Alignment of llama_logit_bias",
    ][::core::mem::align_of::<llama_logit_bias>() - 4usize];
    [
        "Offset of field: llama_logit_bias::token",
    ][::core::mem::offset_of!(llama_logit_bias, token) - 0usize];
    [
        "Offset of field: llama_logit_bias::bias",
    ][::core::mem::offset_of!(llama_logit_bias, bias) - 4usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_sampler_chain_params {
    pub no_perf: bool,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_sampler_chain_params",
    ][::core::mem::size_of::<llama_sampler_chain_params>() - 1usize];
    [
        "Alignment of llama_sampler_chain_params",
    ][::core::mem::align_of::<llama_sampler_chain_params>() - 1usize];
    [
        "Offset of field: llama_sampler_chain_params::no_perf",
    ][::core::mem::offset_of!(llama_sampler_chain_params, no_perf) - 0usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_chat_message {
    pub role: *const ::core::ffi::c_char,
    pub content: *const ::core::ffi::c_char,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_chat_message",
    ][::core::mem::size_of::<llama_chat_message>() - 16usize];
    [
        "Alignment of llama_chat_message",
    ][::core::mem::align_of::<llama_chat_message>() - 8usize];
    [
        "Offset of field: llama_chat_message::role",
    ][::core::mem::offset_of!(llama_chat_message, role) - 0usize];
    [
        "Offset of field: llama_chat_message::content",
    ][::core::mem::offset_of!(llama_chat_message, content) - 8usize];
};
#[repr(C)]
#[derive(Debug)]
pub struct llama_adapter_lora {
    _unused: [u8; 0],
}
pub type llama_model_set_tensor_data_t = ::core::option::Option<
    unsafe extern "C" fn(tensor: *mut ggml_tensor, userdata: *mut ::core::ffi::c_void),
>;
pub type llama_state_seq_flags = u32;
#[repr(C)]
#[derive(Debug)]
pub struct llama_batch_ext {
    _unused: [u8; 0],
}
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_embd {
    pub data: *const f32,
    pub n_rows: usize,
    pub n_embd: usize,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_embd"][::core::mem::size_of::<llama_embd>() - 24usize];
    ["Alignment of llama_embd"][::core::mem::align_of::<llama_embd>() - 8usize];
    [
        "Offset of field: llama_embd::data",
    ][::core::mem::offset_of!(llama_embd, data) - 0usize];
    [
        "Offset of field: llama_embd::n_rows",
    ][::core::mem::offset_of!(llama_embd, n_rows) - 8usize];
    [
        "Offset of field: llama_embd::n_embd",
    ][::core::mem::offset_of!(llama_embd, n_embd) - 16usize];
};
pub type llama_sampler_context_t = *mut ::core::ffi::c_void;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_sampler_data {
    pub logits: *mut ggml_tensor,
    pub probs: *mut ggml_tensor,
    pub sampled: *mut ggml_tensor,
    pub candidates: *mut ggml_tensor,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_sampler_data",
    ][::core::mem::size_of::<llama_sampler_data>() - 32usize];
    [
        "Alignment of llama_sampler_data",
    ][::core::mem::align_of::<llama_sampler_data>() - 8usize];
    [
        "Offset of field: llama_sampler_data::logits",
    ][::core::mem::offset_of!(llama_sampler_data, logits) - 0usize];
    [
        "Offset of field: llama_sampler_data::probs",
    ][::core::mem::offset_of!(llama_sampler_data, probs) - 8usize];
    [
        "Offset of field: llama_sampler_data::sampled",
    ][::core::mem::offset_of!(llama_sampler_data, sampled) - 16usize];
    [
        "Offset of field: llama_sampler_data::candidates",
    ][::core::mem::offset_of!(llama_sampler_data, candidates) - 24usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_sampler_i {
    pub name: ::core::option::Option<
        unsafe extern "C" fn(smpl: *const llama_sampler) -> *const ::core::ffi::c_char,
    >,
    pub accept: ::core::option::Option<
        unsafe extern "C" fn(smpl: *mut llama_sampler, token: llama_token),
    >,
    pub apply: ::core::option::Option<
        unsafe extern "C" fn(
            smpl: *mut llama_sampler,
            cur_p: *mut llama_token_data_array,
        ),
    >,
    pub reset: ::core::option::Option<unsafe extern "C" fn(smpl: *mut llama_sampler)>,
    pub clone: ::core::option::Option<
        unsafe extern "C" fn(smpl: *const llama_sampler) -> *mut llama_sampler,
    >,
    pub free: ::core::option::Option<unsafe extern "C" fn(smpl: *mut llama_sampler)>,
    pub backend_init: ::core::option::Option<
        unsafe extern "C" fn(
            smpl: *mut llama_sampler,
            buft: ggml_backend_buffer_type_t,
            n_outputs_max_per_seq: u32,
        ) -> bool,
    >,
    pub backend_accept: ::core::option::Option<
        unsafe extern "C" fn(
            smpl: *mut llama_sampler,
            ctx: *mut ggml_context,
            gf: *mut ggml_cgraph,
            selected_token: *mut ggml_tensor,
        ),
    >,
    pub backend_apply: ::core::option::Option<
        unsafe extern "C" fn(
            smpl: *mut llama_sampler,
            ctx: *mut ggml_context,
            gf: *mut ggml_cgraph,
            data: *mut llama_sampler_data,
        ),
    >,
    pub backend_set_input: ::core::option::Option<
        unsafe extern "C" fn(smpl: *mut llama_sampler),
    >,
    pub backend_reset: ::core::option::Option<
        unsafe extern "C" fn(smpl: *mut llama_sampler),
    >,
    pub copy_state: ::core::option::Option<
        unsafe extern "C" fn(src: *const llama_sampler, dst: *mut llama_sampler),
    >,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_sampler_i"][::core::mem::size_of::<llama_sampler_i>() - 96usize];
    [
        "Alignment of llama_sampler_i",
    ][::core::mem::align_of::<llama_sampler_i>() - 8usize];
    [
        "Offset of field: llama_sampler_i::name",
    ][::core::mem::offset_of!(llama_sampler_i, name) - 0usize];
    [
        "Offset of field: llama_sampler_i::accept",
    ][::core::mem::offset_of!(llama_sampler_i, accept) - 8usize];
    [
        "Offset of field: llama_sampler_i::apply",
    ][::core::mem::offset_of!(llama_sampler_i, apply) - 16usize];
    [
        "Offset of field: llama_sampler_i::reset",
    ][::core::mem::offset_of!(llama_sampler_i, reset) - 24usize];
    [
        "Offset of field: llama_sampler_i::clone",
    ][::core::mem::offset_of!(llama_sampler_i, clone) - 32usize];
    [
        "Offset of field: llama_sampler_i::free",
    ][::core::mem::offset_of!(llama_sampler_i, free) - 40usize];
    [
        "Offset of field: llama_sampler_i::backend_init",
    ][::core::mem::offset_of!(llama_sampler_i, backend_init) - 48usize];
    [
        "Offset of field: llama_sampler_i::backend_accept",
    ][::core::mem::offset_of!(llama_sampler_i, backend_accept) - 56usize];
    [
        "Offset of field: llama_sampler_i::backend_apply",
    ][::core::mem::offset_of!(llama_sampler_i, backend_apply) - 64usize];
    [
        "Offset of field: llama_sampler_i::backend_set_input",
    ][::core::mem::offset_of!(llama_sampler_i, backend_set_input) - 72usize];
    [
        "Offset of field: llama_sampler_i::backend_reset",
    ][::core::mem::offset_of!(llama_sampler_i, backend_reset) - 80usize];
    [
        "Offset of field: llama_sampler_i::copy_state",
    ][::core::mem::offset_of!(llama_sampler_i, copy_state) - 88usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_sampler {
    pub iface: *mut llama_sampler_i,
    pub ctx: llama_sampler_context_t,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_sampler"][::core::mem::size_of::<llama_sampler>() - 16usize];
    ["Alignment of llama_sampler"][::core::mem::align_of::<llama_sampler>() - 8usize];
    [
        "Offset of field: llama_sampler::iface",
    ][::core::mem::offset_of!(llama_sampler, iface) - 0usize];
    [
        "Offset of field: llama_sampler::ctx",
    ][::core::mem::offset_of!(llama_sampler, ctx) - 8usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_perf_context_data {
    pub t_start_ms: f64,
    pub t_load_ms: f64,
    pub t_p_eval_ms: f64,
    pub t_eval_ms: f64,
    pub n_p_eval: i32,
    pub n_eval: i32,
    pub n_reused: i32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_perf_context_data",
    ][::core::mem::size_of::<llama_perf_context_data>() - 48usize];
    [
        "Alignment of llama_perf_context_data",
    ][::core::mem::align_of::<llama_perf_context_data>() - 8usize];
    [
        "Offset of field: llama_perf_context_data::t_start_ms",
    ][::core::mem::offset_of!(llama_perf_context_data, t_start_ms) - 0usize];
    [
        "Offset of field: llama_perf_context_data::t_load_ms",
    ][::core::mem::offset_of!(llama_perf_context_data, t_load_ms) - 8usize];
    [
        "Offset of field: llama_perf_context_data::t_p_eval_ms",
    ][::core::mem::offset_of!(llama_perf_context_data, t_p_eval_ms) - 16usize];
    [
        "Offset of field: llama_perf_context_data::t_eval_ms",
    ][::core::mem::offset_of!(llama_perf_context_data, t_eval_ms) - 24usize];
    [
        "Offset of field: llama_perf_context_data::n_p_eval",
    ][::core::mem::offset_of!(llama_perf_context_data, n_p_eval) - 32usize];
    [
        "Offset of field: llama_perf_context_data::n_eval",
    ][::core::mem::offset_of!(llama_perf_context_data, n_eval) - 36usize];
    [
        "Offset of field: llama_perf_context_data::n_reused",
    ][::core::mem::offset_of!(llama_perf_context_data, n_reused) - 40usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_perf_sampler_data {
    pub t_sample_ms: f64,
    pub n_sample: i32,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    [
        "Size of llama_perf_sampler_data",
    ][::core::mem::size_of::<llama_perf_sampler_data>() - 16usize];
    [
        "Alignment of llama_perf_sampler_data",
    ][::core::mem::align_of::<llama_perf_sampler_data>() - 8usize];
    [
        "Offset of field: llama_perf_sampler_data::t_sample_ms",
    ][::core::mem::offset_of!(llama_perf_sampler_data, t_sample_ms) - 0usize];
    [
        "Offset of field: llama_perf_sampler_data::n_sample",
    ][::core::mem::offset_of!(llama_perf_sampler_data, n_sample) - 8usize];
};
pub type llama_opt_param_filter = ::core::option::Option<
    unsafe extern "C" fn(
        tensor: *const ggml_tensor,
        userdata: *mut ::core::ffi::c_void,
    ) -> bool,
>;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct llama_opt_params {
    pub n_ctx_train: u32,
    pub param_filter: llama_opt_param_filter,
    pub param_filter_ud: *mut ::core::ffi::c_void,
    pub get_opt_pars: ggml_opt_get_optimizer_params,
    pub get_opt_pars_ud: *mut ::core::ffi::c_void,
    pub optimizer_type: ggml_opt_optimizer_type,
}
#[cfg(all(test, target_pointer_width = "64"))]
const _: () = {
    ["Size of llama_opt_params"][::core::mem::size_of::<llama_opt_params>() - 48usize];
    [
        "Alignment of llama_opt_params",
    ][::core::mem::align_of::<llama_opt_params>() - 8usize];
    [
        "Offset of field: llama_opt_params::n_ctx_train",
    ][::core::mem::offset_of!(llama_opt_params, n_ctx_train) - 0usize];
    [
        "Offset of field: llama_opt_params::param_filter",
    ][::core::mem::offset_of!(llama_opt_params, param_filter) - 8usize];
    [
        "Offset of field: llama_opt_params::param_filter_ud",
    ][::core::mem::offset_of!(llama_opt_params, param_filter_ud) - 16usize];
    [
        "Offset of field: llama_opt_params::get_opt_pars",
    ][::core::mem::offset_of!(llama_opt_params, get_opt_pars) - 24usize];
    [
        "Offset of field: llama_opt_params::get_opt_pars_ud",
    ][::core::mem::offset_of!(llama_opt_params, get_opt_pars_ud) - 32usize];
    [
        "Offset of field: llama_opt_params::optimizer_type",
    ][::core::mem::offset_of!(llama_opt_params, optimizer_type) - 40usize];
};
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct ggml_backend_buffer {
    pub _address: u8,
}
unsafe extern "C" {
    pub fn ggml_set_abort_callback(
        callback: ggml_abort_callback_t,
    ) -> ggml_abort_callback_t;
    pub fn ggml_abort(
        file: *const ::core::ffi::c_char,
        line: ::core::ffi::c_int,
        fmt: *const ::core::ffi::c_char,
        ...
    );
    pub fn ggml_status_to_string(status: ggml_status) -> *const ::core::ffi::c_char;
    pub fn ggml_fp16_to_fp32(arg1: ggml_fp16_t) -> f32;
    pub fn ggml_fp32_to_fp16(arg1: f32) -> ggml_fp16_t;
    pub fn ggml_fp16_to_fp32_row(arg1: *const ggml_fp16_t, arg2: *mut f32, arg3: i64);
    pub fn ggml_fp32_to_fp16_row(arg1: *const f32, arg2: *mut ggml_fp16_t, arg3: i64);
    pub fn ggml_fp32_to_bf16(arg1: f32) -> ggml_bf16_t;
    pub fn ggml_bf16_to_fp32(arg1: ggml_bf16_t) -> f32;
    pub fn ggml_bf16_to_fp32_row(arg1: *const ggml_bf16_t, arg2: *mut f32, arg3: i64);
    pub fn ggml_fp32_to_bf16_row_ref(
        arg1: *const f32,
        arg2: *mut ggml_bf16_t,
        arg3: i64,
    );
    pub fn ggml_fp32_to_bf16_row(arg1: *const f32, arg2: *mut ggml_bf16_t, arg3: i64);
    pub fn ggml_guid_matches(guid_a: ggml_guid_t, guid_b: ggml_guid_t) -> bool;
    pub fn ggml_version() -> *const ::core::ffi::c_char;
    pub fn ggml_commit() -> *const ::core::ffi::c_char;
    pub fn ggml_time_init();
    pub fn ggml_time_ms() -> i64;
    pub fn ggml_time_us() -> i64;
    pub fn ggml_cycles() -> i64;
    pub fn ggml_cycles_per_ms() -> i64;
    pub fn ggml_fopen(
        fname: *const ::core::ffi::c_char,
        mode: *const ::core::ffi::c_char,
    ) -> *mut FILE;
    pub fn ggml_print_object(obj: *const ggml_object);
    pub fn ggml_print_objects(ctx: *const ggml_context);
    pub fn ggml_nelements(tensor: *const ggml_tensor) -> i64;
    pub fn ggml_nrows(tensor: *const ggml_tensor) -> i64;
    pub fn ggml_nbytes(tensor: *const ggml_tensor) -> usize;
    pub fn ggml_nbytes_pad(tensor: *const ggml_tensor) -> usize;
    pub fn ggml_blck_size(type_: ggml_type) -> i64;
    pub fn ggml_type_size(type_: ggml_type) -> usize;
    pub fn ggml_row_size(type_: ggml_type, ne: i64) -> usize;
    pub fn ggml_type_sizef(type_: ggml_type) -> f64;
    pub fn ggml_type_name(type_: ggml_type) -> *const ::core::ffi::c_char;
    pub fn ggml_op_name(op: ggml_op) -> *const ::core::ffi::c_char;
    pub fn ggml_op_symbol(op: ggml_op) -> *const ::core::ffi::c_char;
    pub fn ggml_unary_op_name(op: ggml_unary_op) -> *const ::core::ffi::c_char;
    pub fn ggml_glu_op_name(op: ggml_glu_op) -> *const ::core::ffi::c_char;
    pub fn ggml_op_desc(t: *const ggml_tensor) -> *const ::core::ffi::c_char;
    pub fn ggml_element_size(tensor: *const ggml_tensor) -> usize;
    pub fn ggml_is_quantized(type_: ggml_type) -> bool;
    pub fn ggml_ftype_to_ggml_type(ftype: ggml_ftype) -> ggml_type;
    pub fn ggml_is_transposed(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_permuted(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_empty(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_view(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_scalar(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_vector(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_matrix(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_3d(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_n_dims(tensor: *const ggml_tensor) -> ::core::ffi::c_int;
    pub fn ggml_is_contiguous(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_0(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_1(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_2(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_to_1(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_to_2(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_to_3(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguously_allocated(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_channels(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_is_contiguous_rows(tensor: *const ggml_tensor) -> bool;
    pub fn ggml_are_same_shape(t0: *const ggml_tensor, t1: *const ggml_tensor) -> bool;
    pub fn ggml_are_same_stride(t0: *const ggml_tensor, t1: *const ggml_tensor) -> bool;
    pub fn ggml_can_repeat(t0: *const ggml_tensor, t1: *const ggml_tensor) -> bool;
    pub fn ggml_tensor_overhead() -> usize;
    pub fn ggml_validate_row_data(
        type_: ggml_type,
        data: *const ::core::ffi::c_void,
        nbytes: usize,
    ) -> bool;
    pub fn ggml_init(params: ggml_init_params) -> *mut ggml_context;
    pub fn ggml_reset(ctx: *mut ggml_context);
    pub fn ggml_free(ctx: *mut ggml_context);
    pub fn ggml_used_mem(ctx: *const ggml_context) -> usize;
    pub fn ggml_get_no_alloc(ctx: *mut ggml_context) -> bool;
    pub fn ggml_set_no_alloc(ctx: *mut ggml_context, no_alloc: bool);
    pub fn ggml_get_mem_buffer(ctx: *const ggml_context) -> *mut ::core::ffi::c_void;
    pub fn ggml_get_mem_size(ctx: *const ggml_context) -> usize;
    pub fn ggml_get_max_tensor_size(ctx: *const ggml_context) -> usize;
    pub fn ggml_new_tensor(
        ctx: *mut ggml_context,
        type_: ggml_type,
        n_dims: ::core::ffi::c_int,
        ne: *const i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_new_tensor_1d(
        ctx: *mut ggml_context,
        type_: ggml_type,
        ne0: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_new_tensor_2d(
        ctx: *mut ggml_context,
        type_: ggml_type,
        ne0: i64,
        ne1: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_new_tensor_3d(
        ctx: *mut ggml_context,
        type_: ggml_type,
        ne0: i64,
        ne1: i64,
        ne2: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_new_tensor_4d(
        ctx: *mut ggml_context,
        type_: ggml_type,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_new_buffer(
        ctx: *mut ggml_context,
        nbytes: usize,
    ) -> *mut ::core::ffi::c_void;
    pub fn ggml_dup_tensor(
        ctx: *mut ggml_context,
        src: *const ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_view_tensor(
        ctx: *mut ggml_context,
        src: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_get_first_tensor(ctx: *const ggml_context) -> *mut ggml_tensor;
    pub fn ggml_get_next_tensor(
        ctx: *const ggml_context,
        tensor: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_get_tensor(
        ctx: *mut ggml_context,
        name: *const ::core::ffi::c_char,
    ) -> *mut ggml_tensor;
    pub fn ggml_unravel_index(
        tensor: *const ggml_tensor,
        i: i64,
        i0: *mut i64,
        i1: *mut i64,
        i2: *mut i64,
        i3: *mut i64,
    );
    pub fn ggml_get_unary_op(tensor: *const ggml_tensor) -> ggml_unary_op;
    pub fn ggml_get_glu_op(tensor: *const ggml_tensor) -> ggml_glu_op;
    pub fn ggml_get_data(tensor: *const ggml_tensor) -> *mut ::core::ffi::c_void;
    pub fn ggml_get_data_f32(tensor: *const ggml_tensor) -> *mut f32;
    pub fn ggml_get_name(tensor: *const ggml_tensor) -> *const ::core::ffi::c_char;
    pub fn ggml_set_name(
        tensor: *mut ggml_tensor,
        name: *const ::core::ffi::c_char,
    ) -> *mut ggml_tensor;
    pub fn ggml_format_name(
        tensor: *mut ggml_tensor,
        fmt: *const ::core::ffi::c_char,
        ...
    ) -> *mut ggml_tensor;
    pub fn ggml_set_input(tensor: *mut ggml_tensor);
    pub fn ggml_set_output(tensor: *mut ggml_tensor);
    pub fn ggml_set_param(tensor: *mut ggml_tensor);
    pub fn ggml_set_loss(tensor: *mut ggml_tensor);
    pub fn ggml_dup(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_dup_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_add(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_add_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_add_cast(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        type_: ggml_type,
    ) -> *mut ggml_tensor;
    pub fn ggml_add_id(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        ids: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_add1(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_add1_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_acc(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        nb1: usize,
        nb2: usize,
        nb3: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_acc_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        nb1: usize,
        nb2: usize,
        nb3: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_sub(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sub_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_mul(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_mul_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_div(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_div_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sqr(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_sqr_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sqrt(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_sqrt_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_log(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_log_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_expm1(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_expm1_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_softplus(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_softplus_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sin(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_sin_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_cos(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_cos_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sum(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_sum_rows(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_cumsum(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_mean(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_argmax(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_count_equal(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_repeat(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_repeat_4d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_repeat_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_concat(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        dim: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_abs(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_abs_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sgn(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_sgn_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_neg(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_neg_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_step(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_step_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_tanh(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_tanh_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_elu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_elu_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_relu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_leaky_relu(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        negative_slope: f32,
        inplace: bool,
    ) -> *mut ggml_tensor;
    pub fn ggml_relu_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_sigmoid(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_sigmoid_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_gelu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_gelu_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_gelu_erf(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_gelu_erf_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_gelu_quick(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_gelu_quick_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_silu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_silu_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_silu_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_hardswish(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_hardsigmoid(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_exp(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_exp_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_floor(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_floor_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_ceil(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_ceil_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_round(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_round_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    /** Truncates the fractional part of each element in the tensor (towards zero).
 For example: trunc(3.7) = 3.0, trunc(-2.9) = -2.0
 Similar to std::trunc in C/C++.*/
    pub fn ggml_trunc(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_trunc_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_xielu(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        alpha_n: f32,
        alpha_p: f32,
        beta: f32,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_glu(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        op: ggml_glu_op,
        swapped: bool,
    ) -> *mut ggml_tensor;
    pub fn ggml_reglu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_reglu_swapped(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_geglu_swapped(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_swiglu(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_swiglu_swapped(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_erf(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_erf_swapped(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_quick(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_quick_swapped(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_glu_split(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        op: ggml_glu_op,
    ) -> *mut ggml_tensor;
    pub fn ggml_reglu_split(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_split(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_swiglu_split(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_erf_split(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_geglu_quick_split(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_swiglu_oai(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        alpha: f32,
        limit: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_swiglu_clamp(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        limit: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_norm(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_norm_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rms_norm(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rms_norm_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_group_norm(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        n_groups: ::core::ffi::c_int,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_group_norm_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        n_groups: ::core::ffi::c_int,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_l2_norm(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_l2_norm_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rms_norm_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        eps: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_prec_set_acc(a: *mut ggml_tensor, prec: ggml_prec) -> bool;
    pub fn ggml_prec_set_src(
        a: *mut ggml_tensor,
        prec: ggml_prec,
        idx: ::core::ffi::c_int,
    ) -> bool;
    pub fn ggml_mul_mat(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_mul_mat_set_prec(a: *mut ggml_tensor, prec: ggml_prec);
    pub fn ggml_mul_mat_set_hint(a: *mut ggml_tensor, hint: ggml_op_hint);
    pub fn ggml_mul_mat_id(
        ctx: *mut ggml_context,
        as_: *mut ggml_tensor,
        b: *mut ggml_tensor,
        ids: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_out_prod(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_scale(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        s: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_scale_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        s: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_scale_bias(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        s: f32,
        b: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_scale_bias_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        s: f32,
        b: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_set(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        nb1: usize,
        nb2: usize,
        nb3: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_set_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        nb1: usize,
        nb2: usize,
        nb3: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_set_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_set_1d_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_set_2d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        nb1: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_set_2d_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        nb1: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_cpy(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_cast(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        type_: ggml_type,
    ) -> *mut ggml_tensor;
    pub fn ggml_cont(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_cont_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_cont_2d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_cont_3d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_cont_4d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_reshape(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_reshape_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_reshape_2d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_reshape_3d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_reshape_4d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_view_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_view_2d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        nb1: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_view_3d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        nb1: usize,
        nb2: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_view_4d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
        nb1: usize,
        nb2: usize,
        nb3: usize,
        offset: usize,
    ) -> *mut ggml_tensor;
    pub fn ggml_permute(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        axis0: ::core::ffi::c_int,
        axis1: ::core::ffi::c_int,
        axis2: ::core::ffi::c_int,
        axis3: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_transpose(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_get_rows(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_get_rows_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_set_rows(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_diag(ctx: *mut ggml_context, a: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_diag_mask_inf(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        n_past: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_diag_mask_inf_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        n_past: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_diag_mask_zero(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        n_past: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_diag_mask_zero_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        n_past: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_clamp(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        min: f32,
        max: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_clamp_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        min: f32,
        max: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_soft_max(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_soft_max_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_soft_max_ext(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        mask: *mut ggml_tensor,
        scale: f32,
        max_bias: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_soft_max_ext_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        mask: *mut ggml_tensor,
        scale: f32,
        max_bias: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_soft_max_add_sinks(a: *mut ggml_tensor, sinks: *mut ggml_tensor);
    pub fn ggml_soft_max_ext_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        scale: f32,
        max_bias: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_soft_max_ext_back_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        scale: f32,
        max_bias: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_ext(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_multi(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        sections: *mut ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_ext_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_multi_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        sections: *mut ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_custom(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_custom_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_yarn_corr_dims(
        n_dims: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        beta_fast: f32,
        beta_slow: f32,
        dims: *mut f32,
    );
    pub fn ggml_rope_ext_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_multi_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        n_dims: ::core::ffi::c_int,
        sections: *mut ::core::ffi::c_int,
        mode: ::core::ffi::c_int,
        n_ctx_orig: ::core::ffi::c_int,
        freq_base: f32,
        freq_scale: f32,
        ext_factor: f32,
        attn_factor: f32,
        beta_fast: f32,
        beta_slow: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rope_set_offset(
        a: *mut ggml_tensor,
        n_offs: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_im2col(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
        is_2D: bool,
        dst_type: ggml_type,
    ) -> *mut ggml_tensor;
    pub fn ggml_im2col_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        ne: *mut i64,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
        is_2D: bool,
    ) -> *mut ggml_tensor;
    pub fn ggml_col2im_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        oc: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_1d_ph(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s: ::core::ffi::c_int,
        d: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_1d_dw(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_1d_dw_ph(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_transpose_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_2d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_im2col_3d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        IC: i64,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        s2: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        p2: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
        d2: ::core::ffi::c_int,
        dst_type: ggml_type,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_3d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        IC: i64,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        s2: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        p2: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
        d2: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_2d_sk_p0(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_2d_s1_ph(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_2d_dw(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_2d_dw_direct(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        stride0: ::core::ffi::c_int,
        stride1: ::core::ffi::c_int,
        pad0: ::core::ffi::c_int,
        pad1: ::core::ffi::c_int,
        dilation0: ::core::ffi::c_int,
        dilation1: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_transpose_2d_p0(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        stride: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_2d_direct(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_conv_3d_direct(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        s2: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        p2: ::core::ffi::c_int,
        d0: ::core::ffi::c_int,
        d1: ::core::ffi::c_int,
        d2: ::core::ffi::c_int,
        n_channels: ::core::ffi::c_int,
        n_batch: ::core::ffi::c_int,
        n_channels_out: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_pool_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        op: ggml_op_pool,
        k0: ::core::ffi::c_int,
        s0: ::core::ffi::c_int,
        p0: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_pool_2d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        op: ggml_op_pool,
        k0: ::core::ffi::c_int,
        k1: ::core::ffi::c_int,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: f32,
        p1: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_pool_2d_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        af: *mut ggml_tensor,
        op: ggml_op_pool,
        k0: ::core::ffi::c_int,
        k1: ::core::ffi::c_int,
        s0: ::core::ffi::c_int,
        s1: ::core::ffi::c_int,
        p0: f32,
        p1: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_upscale(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        scale_factor: ::core::ffi::c_int,
        mode: ggml_scale_mode,
    ) -> *mut ggml_tensor;
    pub fn ggml_upscale_ext(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: ::core::ffi::c_int,
        ne1: ::core::ffi::c_int,
        ne2: ::core::ffi::c_int,
        ne3: ::core::ffi::c_int,
        mode: ggml_scale_mode,
    ) -> *mut ggml_tensor;
    pub fn ggml_interpolate(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
        mode: u32,
    ) -> *mut ggml_tensor;
    pub fn ggml_pad(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        p2: ::core::ffi::c_int,
        p3: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_pad_circular(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
        p2: ::core::ffi::c_int,
        p3: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_pad_ext(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        lp0: ::core::ffi::c_int,
        rp0: ::core::ffi::c_int,
        lp1: ::core::ffi::c_int,
        rp1: ::core::ffi::c_int,
        lp2: ::core::ffi::c_int,
        rp2: ::core::ffi::c_int,
        lp3: ::core::ffi::c_int,
        rp3: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_pad_ext_circular(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        lp0: ::core::ffi::c_int,
        rp0: ::core::ffi::c_int,
        lp1: ::core::ffi::c_int,
        rp1: ::core::ffi::c_int,
        lp2: ::core::ffi::c_int,
        rp2: ::core::ffi::c_int,
        lp3: ::core::ffi::c_int,
        rp3: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_pad_reflect_1d(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        p0: ::core::ffi::c_int,
        p1: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_roll(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        shift0: ::core::ffi::c_int,
        shift1: ::core::ffi::c_int,
        shift2: ::core::ffi::c_int,
        shift3: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_tri(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        type_: ggml_tri_type,
    ) -> *mut ggml_tensor;
    pub fn ggml_fill(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        c: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_fill_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        c: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_timestep_embedding(
        ctx: *mut ggml_context,
        timesteps: *mut ggml_tensor,
        dim: ::core::ffi::c_int,
        max_period: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_argsort(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        order: ggml_sort_order,
    ) -> *mut ggml_tensor;
    pub fn ggml_argsort_top_k(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        k: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_top_k(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        k: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_arange(
        ctx: *mut ggml_context,
        start: f32,
        stop: f32,
        step: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_flash_attn_ext(
        ctx: *mut ggml_context,
        q: *mut ggml_tensor,
        k: *mut ggml_tensor,
        v: *mut ggml_tensor,
        mask: *mut ggml_tensor,
        scale: f32,
        max_bias: f32,
        logit_softcap: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_flash_attn_ext_set_prec(a: *mut ggml_tensor, prec: ggml_prec);
    pub fn ggml_flash_attn_ext_get_prec(a: *const ggml_tensor) -> ggml_prec;
    pub fn ggml_flash_attn_ext_set_n_kv_max(a: *mut ggml_tensor, n_kv_max: i32);
    pub fn ggml_flash_attn_ext_add_sinks(a: *mut ggml_tensor, sinks: *mut ggml_tensor);
    pub fn ggml_flash_attn_back(
        ctx: *mut ggml_context,
        q: *mut ggml_tensor,
        k: *mut ggml_tensor,
        v: *mut ggml_tensor,
        d: *mut ggml_tensor,
        masked: bool,
    ) -> *mut ggml_tensor;
    pub fn ggml_ssm_conv(
        ctx: *mut ggml_context,
        sx: *mut ggml_tensor,
        c: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_ssm_scan(
        ctx: *mut ggml_context,
        s: *mut ggml_tensor,
        x: *mut ggml_tensor,
        dt: *mut ggml_tensor,
        A: *mut ggml_tensor,
        B: *mut ggml_tensor,
        C: *mut ggml_tensor,
        ids: *mut ggml_tensor,
        K: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_win_part(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        w: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_win_unpart(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        w0: ::core::ffi::c_int,
        h0: ::core::ffi::c_int,
        w: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_unary(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        op: ggml_unary_op,
    ) -> *mut ggml_tensor;
    pub fn ggml_unary_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        op: ggml_unary_op,
    ) -> *mut ggml_tensor;
    pub fn ggml_get_rel_pos(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        qh: ::core::ffi::c_int,
        kh: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_add_rel_pos(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        pw: *mut ggml_tensor,
        ph: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_add_rel_pos_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        pw: *mut ggml_tensor,
        ph: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_rwkv_wkv6(
        ctx: *mut ggml_context,
        k: *mut ggml_tensor,
        v: *mut ggml_tensor,
        r: *mut ggml_tensor,
        tf: *mut ggml_tensor,
        td: *mut ggml_tensor,
        state: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_gated_linear_attn(
        ctx: *mut ggml_context,
        k: *mut ggml_tensor,
        v: *mut ggml_tensor,
        q: *mut ggml_tensor,
        g: *mut ggml_tensor,
        state: *mut ggml_tensor,
        scale: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_rwkv_wkv7(
        ctx: *mut ggml_context,
        r: *mut ggml_tensor,
        w: *mut ggml_tensor,
        k: *mut ggml_tensor,
        v: *mut ggml_tensor,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        state: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_solve_tri(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        left: bool,
        lower: bool,
        uni: bool,
    ) -> *mut ggml_tensor;
    pub fn ggml_gated_delta_net(
        ctx: *mut ggml_context,
        q: *mut ggml_tensor,
        k: *mut ggml_tensor,
        v: *mut ggml_tensor,
        g: *mut ggml_tensor,
        beta: *mut ggml_tensor,
        state: *mut ggml_tensor,
        K: i64,
    ) -> *mut ggml_tensor;
    pub fn ggml_lightning_indexer(
        ctx: *mut ggml_context,
        q: *mut ggml_tensor,
        k: *mut ggml_tensor,
        weights: *mut ggml_tensor,
        mask: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_dsv4_hc_comb(
        ctx: *mut ggml_context,
        mixes: *mut ggml_tensor,
        scale: *mut ggml_tensor,
        base: *mut ggml_tensor,
        eps: f32,
        n_iter: i32,
    ) -> *mut ggml_tensor;
    pub fn ggml_dsv4_hc_pre(
        ctx: *mut ggml_context,
        x: *mut ggml_tensor,
        weights: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_dsv4_hc_pre_gated(
        ctx: *mut ggml_context,
        x: *mut ggml_tensor,
        gate: *mut ggml_tensor,
        scale: f32,
    ) -> *mut ggml_tensor;
    pub fn ggml_dsv4_hc_post(
        ctx: *mut ggml_context,
        x: *mut ggml_tensor,
        residual: *mut ggml_tensor,
        post: *mut ggml_tensor,
        comb: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_map_custom1(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        fun: ggml_custom1_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_map_custom1_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        fun: ggml_custom1_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_map_custom2(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        fun: ggml_custom2_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_map_custom2_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        fun: ggml_custom2_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_map_custom3(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        fun: ggml_custom3_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_map_custom3_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
        fun: ggml_custom3_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_custom_4d(
        ctx: *mut ggml_context,
        type_: ggml_type,
        ne0: i64,
        ne1: i64,
        ne2: i64,
        ne3: i64,
        args: *mut *mut ggml_tensor,
        n_args: ::core::ffi::c_int,
        fun: ggml_custom_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_custom_inplace(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        args: *mut *mut ggml_tensor,
        n_args: ::core::ffi::c_int,
        fun: ggml_custom_op_t,
        n_tasks: ::core::ffi::c_int,
        userdata: *mut ::core::ffi::c_void,
    ) -> *mut ggml_tensor;
    pub fn ggml_cross_entropy_loss(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_cross_entropy_loss_back(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        b: *mut ggml_tensor,
        c: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_opt_step_adamw(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        grad: *mut ggml_tensor,
        m: *mut ggml_tensor,
        v: *mut ggml_tensor,
        adamw_params: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_opt_step_sgd(
        ctx: *mut ggml_context,
        a: *mut ggml_tensor,
        grad: *mut ggml_tensor,
        sgd_params: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_build_forward_select(
        cgraph: *mut ggml_cgraph,
        tensors: *mut *mut ggml_tensor,
        n_tensors: ::core::ffi::c_int,
        idx: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_build_forward_expand(cgraph: *mut ggml_cgraph, tensor: *mut ggml_tensor);
    pub fn ggml_build_forward_order(cgraph: *mut ggml_cgraph, tensor: *mut ggml_tensor);
    pub fn ggml_build_backward_expand(
        ctx: *mut ggml_context,
        cgraph: *mut ggml_cgraph,
        grad_accs: *mut *mut ggml_tensor,
    );
    pub fn ggml_new_graph(ctx: *mut ggml_context) -> *mut ggml_cgraph;
    pub fn ggml_new_graph_custom(
        ctx: *mut ggml_context,
        size: usize,
        grads: bool,
    ) -> *mut ggml_cgraph;
    pub fn ggml_graph_dup(
        ctx: *mut ggml_context,
        cgraph: *mut ggml_cgraph,
        force_grads: bool,
    ) -> *mut ggml_cgraph;
    pub fn ggml_graph_cpy(src: *mut ggml_cgraph, dst: *mut ggml_cgraph);
    pub fn ggml_graph_reset(cgraph: *mut ggml_cgraph);
    pub fn ggml_graph_clear(cgraph: *mut ggml_cgraph);
    pub fn ggml_graph_size(cgraph: *mut ggml_cgraph) -> ::core::ffi::c_int;
    pub fn ggml_graph_node(
        cgraph: *mut ggml_cgraph,
        i: ::core::ffi::c_int,
    ) -> *mut ggml_tensor;
    pub fn ggml_graph_nodes(cgraph: *mut ggml_cgraph) -> *mut *mut ggml_tensor;
    pub fn ggml_graph_n_nodes(cgraph: *mut ggml_cgraph) -> ::core::ffi::c_int;
    pub fn ggml_graph_add_node(cgraph: *mut ggml_cgraph, tensor: *mut ggml_tensor);
    pub fn ggml_graph_overhead() -> usize;
    pub fn ggml_graph_overhead_custom(size: usize, grads: bool) -> usize;
    pub fn ggml_graph_get_tensor(
        cgraph: *const ggml_cgraph,
        name: *const ::core::ffi::c_char,
    ) -> *mut ggml_tensor;
    pub fn ggml_graph_get_grad(
        cgraph: *const ggml_cgraph,
        node: *const ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_graph_get_grad_acc(
        cgraph: *const ggml_cgraph,
        node: *const ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_graph_print(cgraph: *const ggml_cgraph);
    pub fn ggml_graph_dump_dot(
        gb: *const ggml_cgraph,
        cgraph: *const ggml_cgraph,
        filename: *const ::core::ffi::c_char,
    );
    pub fn ggml_log_get(
        log_callback: *mut ggml_log_callback,
        user_data: *mut *mut ::core::ffi::c_void,
    );
    pub fn ggml_log_set(
        log_callback: ggml_log_callback,
        user_data: *mut ::core::ffi::c_void,
    );
    pub fn ggml_set_zero(tensor: *mut ggml_tensor) -> *mut ggml_tensor;
    pub fn ggml_quantize_init(type_: ggml_type);
    pub fn ggml_quantize_free();
    pub fn ggml_quantize_requires_imatrix(type_: ggml_type) -> bool;
    pub fn ggml_quantize_chunk(
        type_: ggml_type,
        src: *const f32,
        dst: *mut ::core::ffi::c_void,
        start: i64,
        nrows: i64,
        n_per_row: i64,
        imatrix: *const f32,
    ) -> usize;
    pub fn ggml_get_type_traits(type_: ggml_type) -> *const ggml_type_traits;
    pub fn ggml_threadpool_params_default(
        n_threads: ::core::ffi::c_int,
    ) -> ggml_threadpool_params;
    pub fn ggml_threadpool_params_init(
        p: *mut ggml_threadpool_params,
        n_threads: ::core::ffi::c_int,
    );
    pub fn ggml_threadpool_params_match(
        p0: *const ggml_threadpool_params,
        p1: *const ggml_threadpool_params,
    ) -> bool;
    pub fn ggml_tallocr_new(buffer: ggml_backend_buffer_t) -> ggml_tallocr;
    pub fn ggml_tallocr_alloc(
        talloc: *mut ggml_tallocr,
        tensor: *mut ggml_tensor,
    ) -> ggml_status;
    pub fn ggml_gallocr_new(buft: ggml_backend_buffer_type_t) -> ggml_gallocr_t;
    pub fn ggml_gallocr_new_n(
        bufts: *mut ggml_backend_buffer_type_t,
        n_bufs: ::core::ffi::c_int,
    ) -> ggml_gallocr_t;
    pub fn ggml_gallocr_free(galloc: ggml_gallocr_t);
    pub fn ggml_gallocr_reserve(galloc: ggml_gallocr_t, graph: *mut ggml_cgraph) -> bool;
    pub fn ggml_gallocr_reserve_n_size(
        galloc: ggml_gallocr_t,
        graph: *mut ggml_cgraph,
        node_buffer_ids: *const ::core::ffi::c_int,
        leaf_buffer_ids: *const ::core::ffi::c_int,
        sizes: *mut usize,
    );
    pub fn ggml_gallocr_reserve_n(
        galloc: ggml_gallocr_t,
        graph: *mut ggml_cgraph,
        node_buffer_ids: *const ::core::ffi::c_int,
        leaf_buffer_ids: *const ::core::ffi::c_int,
    ) -> bool;
    pub fn ggml_gallocr_alloc_graph(
        galloc: ggml_gallocr_t,
        graph: *mut ggml_cgraph,
    ) -> bool;
    pub fn ggml_gallocr_get_buffer_size(
        galloc: ggml_gallocr_t,
        buffer_id: ::core::ffi::c_int,
    ) -> usize;
    pub fn ggml_backend_alloc_ctx_tensors_from_buft_size(
        ctx: *mut ggml_context,
        buft: ggml_backend_buffer_type_t,
    ) -> usize;
    pub fn ggml_backend_alloc_ctx_tensors_from_buft(
        ctx: *mut ggml_context,
        buft: ggml_backend_buffer_type_t,
    ) -> *mut ggml_backend_buffer;
    pub fn ggml_backend_alloc_ctx_tensors(
        ctx: *mut ggml_context,
        backend: ggml_backend_t,
    ) -> *mut ggml_backend_buffer;
    pub fn ggml_backend_buft_name(
        buft: ggml_backend_buffer_type_t,
    ) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_buft_alloc_buffer(
        buft: ggml_backend_buffer_type_t,
        size: usize,
    ) -> ggml_backend_buffer_t;
    pub fn ggml_backend_buft_alloc_buffer_n(
        buft: ggml_backend_buffer_type_t,
        tensors: *mut *mut ggml_tensor,
        n_tensors: ::core::ffi::c_int,
    ) -> ggml_backend_buffer_t;
    pub fn ggml_backend_buft_get_alignment(buft: ggml_backend_buffer_type_t) -> usize;
    pub fn ggml_backend_buft_get_max_size(buft: ggml_backend_buffer_type_t) -> usize;
    pub fn ggml_backend_buft_get_alloc_size(
        buft: ggml_backend_buffer_type_t,
        tensor: *const ggml_tensor,
    ) -> usize;
    pub fn ggml_backend_buft_get_alloc_size_n(
        buft: ggml_backend_buffer_type_t,
        tensors: *mut *mut ggml_tensor,
        n_tensors: ::core::ffi::c_int,
    ) -> usize;
    pub fn ggml_backend_buft_is_host(buft: ggml_backend_buffer_type_t) -> bool;
    pub fn ggml_backend_buft_get_device(
        buft: ggml_backend_buffer_type_t,
    ) -> ggml_backend_dev_t;
    pub fn ggml_backend_buffer_name(
        buffer: ggml_backend_buffer_t,
    ) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_buffer_free(buffer: ggml_backend_buffer_t);
    pub fn ggml_backend_buffer_get_base(
        buffer: ggml_backend_buffer_t,
    ) -> *mut ::core::ffi::c_void;
    pub fn ggml_backend_buffer_get_size(buffer: ggml_backend_buffer_t) -> usize;
    pub fn ggml_backend_buffer_init_tensor(
        buffer: ggml_backend_buffer_t,
        tensor: *mut ggml_tensor,
    ) -> ggml_status;
    pub fn ggml_backend_buffer_get_alignment(buffer: ggml_backend_buffer_t) -> usize;
    pub fn ggml_backend_buffer_get_max_size(buffer: ggml_backend_buffer_t) -> usize;
    pub fn ggml_backend_buffer_get_alloc_size(
        buffer: ggml_backend_buffer_t,
        tensor: *const ggml_tensor,
    ) -> usize;
    pub fn ggml_backend_buffer_clear(buffer: ggml_backend_buffer_t, value: u8);
    pub fn ggml_backend_buffer_is_host(buffer: ggml_backend_buffer_t) -> bool;
    pub fn ggml_backend_buffer_set_usage(
        buffer: ggml_backend_buffer_t,
        usage: ggml_backend_buffer_usage,
    );
    pub fn ggml_backend_buffer_get_usage(
        buffer: ggml_backend_buffer_t,
    ) -> ggml_backend_buffer_usage;
    pub fn ggml_backend_buffer_get_type(
        buffer: ggml_backend_buffer_t,
    ) -> ggml_backend_buffer_type_t;
    pub fn ggml_backend_buffer_reset(buffer: ggml_backend_buffer_t);
    pub fn ggml_backend_tensor_copy(src: *const ggml_tensor, dst: *mut ggml_tensor);
    pub fn ggml_backend_guid(backend: ggml_backend_t) -> ggml_guid_t;
    pub fn ggml_backend_name(backend: ggml_backend_t) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_free(backend: ggml_backend_t);
    pub fn ggml_backend_get_default_buffer_type(
        backend: ggml_backend_t,
    ) -> ggml_backend_buffer_type_t;
    pub fn ggml_backend_alloc_buffer(
        backend: ggml_backend_t,
        size: usize,
    ) -> ggml_backend_buffer_t;
    pub fn ggml_backend_get_alignment(backend: ggml_backend_t) -> usize;
    pub fn ggml_backend_get_max_size(backend: ggml_backend_t) -> usize;
    pub fn ggml_backend_tensor_set_async(
        backend: ggml_backend_t,
        tensor: *mut ggml_tensor,
        data: *const ::core::ffi::c_void,
        offset: usize,
        size: usize,
    );
    pub fn ggml_backend_tensor_get_async(
        backend: ggml_backend_t,
        tensor: *const ggml_tensor,
        data: *mut ::core::ffi::c_void,
        offset: usize,
        size: usize,
    );
    pub fn ggml_backend_tensor_set_2d_async(
        backend: ggml_backend_t,
        tensor: *mut ggml_tensor,
        data: *const ::core::ffi::c_void,
        offset: usize,
        size: usize,
        n_copies: usize,
        stride_tensor: usize,
        stride_data: usize,
    );
    pub fn ggml_backend_tensor_get_2d_async(
        backend: ggml_backend_t,
        tensor: *const ggml_tensor,
        data: *mut ::core::ffi::c_void,
        offset: usize,
        size: usize,
        n_copies: usize,
        stride_tensor: usize,
        stride_data: usize,
    );
    pub fn ggml_backend_tensor_set(
        tensor: *mut ggml_tensor,
        data: *const ::core::ffi::c_void,
        offset: usize,
        size: usize,
    );
    pub fn ggml_backend_tensor_get(
        tensor: *const ggml_tensor,
        data: *mut ::core::ffi::c_void,
        offset: usize,
        size: usize,
    );
    pub fn ggml_backend_tensor_set_2d(
        tensor: *mut ggml_tensor,
        data: *const ::core::ffi::c_void,
        offset: usize,
        size: usize,
        n_copies: usize,
        stride_tensor: usize,
        stride_data: usize,
    );
    pub fn ggml_backend_tensor_get_2d(
        tensor: *const ggml_tensor,
        data: *mut ::core::ffi::c_void,
        offset: usize,
        size: usize,
        n_copies: usize,
        stride_tensor: usize,
        stride_data: usize,
    );
    pub fn ggml_backend_tensor_memset(
        tensor: *mut ggml_tensor,
        value: u8,
        offset: usize,
        size: usize,
    );
    pub fn ggml_backend_synchronize(backend: ggml_backend_t);
    pub fn ggml_backend_graph_plan_create(
        backend: ggml_backend_t,
        cgraph: *mut ggml_cgraph,
    ) -> ggml_backend_graph_plan_t;
    pub fn ggml_backend_graph_plan_free(
        backend: ggml_backend_t,
        plan: ggml_backend_graph_plan_t,
    );
    pub fn ggml_backend_graph_plan_compute(
        backend: ggml_backend_t,
        plan: ggml_backend_graph_plan_t,
    ) -> ggml_status;
    pub fn ggml_backend_graph_compute(
        backend: ggml_backend_t,
        cgraph: *mut ggml_cgraph,
    ) -> ggml_status;
    pub fn ggml_backend_graph_compute_async(
        backend: ggml_backend_t,
        cgraph: *mut ggml_cgraph,
    ) -> ggml_status;
    pub fn ggml_backend_supports_op(
        backend: ggml_backend_t,
        op: *const ggml_tensor,
    ) -> bool;
    pub fn ggml_backend_supports_buft(
        backend: ggml_backend_t,
        buft: ggml_backend_buffer_type_t,
    ) -> bool;
    pub fn ggml_backend_offload_op(
        backend: ggml_backend_t,
        op: *const ggml_tensor,
    ) -> bool;
    pub fn ggml_backend_tensor_copy_async(
        backend_src: ggml_backend_t,
        backend_dst: ggml_backend_t,
        src: *const ggml_tensor,
        dst: *mut ggml_tensor,
    );
    pub fn ggml_backend_get_device(backend: ggml_backend_t) -> ggml_backend_dev_t;
    pub fn ggml_backend_event_new(device: ggml_backend_dev_t) -> ggml_backend_event_t;
    pub fn ggml_backend_event_free(event: ggml_backend_event_t);
    pub fn ggml_backend_event_record(
        event: ggml_backend_event_t,
        backend: ggml_backend_t,
    );
    pub fn ggml_backend_event_synchronize(event: ggml_backend_event_t);
    pub fn ggml_backend_event_wait(backend: ggml_backend_t, event: ggml_backend_event_t);
    pub fn ggml_backend_dev_name(
        device: ggml_backend_dev_t,
    ) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_dev_description(
        device: ggml_backend_dev_t,
    ) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_dev_memory(
        device: ggml_backend_dev_t,
        free: *mut usize,
        total: *mut usize,
    );
    pub fn ggml_backend_dev_type(device: ggml_backend_dev_t) -> ggml_backend_dev_type;
    pub fn ggml_backend_dev_get_props(
        device: ggml_backend_dev_t,
        props: *mut ggml_backend_dev_props,
    );
    pub fn ggml_backend_dev_backend_reg(
        device: ggml_backend_dev_t,
    ) -> ggml_backend_reg_t;
    pub fn ggml_backend_dev_init(
        device: ggml_backend_dev_t,
        params: *const ::core::ffi::c_char,
    ) -> ggml_backend_t;
    pub fn ggml_backend_dev_buffer_type(
        device: ggml_backend_dev_t,
    ) -> ggml_backend_buffer_type_t;
    pub fn ggml_backend_dev_host_buffer_type(
        device: ggml_backend_dev_t,
    ) -> ggml_backend_buffer_type_t;
    pub fn ggml_backend_dev_buffer_from_host_ptr(
        device: ggml_backend_dev_t,
        ptr: *mut ::core::ffi::c_void,
        size: usize,
        max_tensor_size: usize,
    ) -> ggml_backend_buffer_t;
    pub fn ggml_backend_dev_supports_op(
        device: ggml_backend_dev_t,
        op: *const ggml_tensor,
    ) -> bool;
    pub fn ggml_backend_dev_supports_buft(
        device: ggml_backend_dev_t,
        buft: ggml_backend_buffer_type_t,
    ) -> bool;
    pub fn ggml_backend_dev_offload_op(
        device: ggml_backend_dev_t,
        op: *const ggml_tensor,
    ) -> bool;
    pub fn ggml_backend_reg_name(reg: ggml_backend_reg_t) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_reg_dev_count(reg: ggml_backend_reg_t) -> usize;
    pub fn ggml_backend_reg_dev_get(
        reg: ggml_backend_reg_t,
        index: usize,
    ) -> ggml_backend_dev_t;
    pub fn ggml_backend_reg_get_proc_address(
        reg: ggml_backend_reg_t,
        name: *const ::core::ffi::c_char,
    ) -> *mut ::core::ffi::c_void;
    pub fn ggml_backend_register(reg: ggml_backend_reg_t);
    pub fn ggml_backend_device_register(device: ggml_backend_dev_t);
    pub fn ggml_backend_reg_count() -> usize;
    pub fn ggml_backend_reg_get(index: usize) -> ggml_backend_reg_t;
    pub fn ggml_backend_reg_by_name(
        name: *const ::core::ffi::c_char,
    ) -> ggml_backend_reg_t;
    pub fn ggml_backend_dev_count() -> usize;
    pub fn ggml_backend_dev_get(index: usize) -> ggml_backend_dev_t;
    pub fn ggml_backend_dev_by_name(
        name: *const ::core::ffi::c_char,
    ) -> ggml_backend_dev_t;
    pub fn ggml_backend_dev_by_type(type_: ggml_backend_dev_type) -> ggml_backend_dev_t;
    pub fn ggml_backend_init_by_name(
        name: *const ::core::ffi::c_char,
        params: *const ::core::ffi::c_char,
    ) -> ggml_backend_t;
    pub fn ggml_backend_init_by_type(
        type_: ggml_backend_dev_type,
        params: *const ::core::ffi::c_char,
    ) -> ggml_backend_t;
    pub fn ggml_backend_init_best() -> ggml_backend_t;
    pub fn ggml_backend_load(path: *const ::core::ffi::c_char) -> ggml_backend_reg_t;
    pub fn ggml_backend_unload(reg: ggml_backend_reg_t);
    pub fn ggml_backend_load_all();
    pub fn ggml_backend_load_all_from_path(dir_path: *const ::core::ffi::c_char);
    pub fn ggml_backend_sched_new(
        backends: *mut ggml_backend_t,
        bufts: *mut ggml_backend_buffer_type_t,
        n_backends: ::core::ffi::c_int,
        graph_size: usize,
        parallel: bool,
        op_offload: bool,
    ) -> ggml_backend_sched_t;
    pub fn ggml_backend_sched_free(sched: ggml_backend_sched_t);
    pub fn ggml_backend_sched_reserve_size(
        sched: ggml_backend_sched_t,
        measure_graph: *mut ggml_cgraph,
        sizes: *mut usize,
    );
    pub fn ggml_backend_sched_reserve(
        sched: ggml_backend_sched_t,
        measure_graph: *mut ggml_cgraph,
    ) -> bool;
    pub fn ggml_backend_sched_get_n_backends(
        sched: ggml_backend_sched_t,
    ) -> ::core::ffi::c_int;
    pub fn ggml_backend_sched_get_backend(
        sched: ggml_backend_sched_t,
        i: ::core::ffi::c_int,
    ) -> ggml_backend_t;
    pub fn ggml_backend_sched_get_n_splits(
        sched: ggml_backend_sched_t,
    ) -> ::core::ffi::c_int;
    pub fn ggml_backend_sched_get_n_copies(
        sched: ggml_backend_sched_t,
    ) -> ::core::ffi::c_int;
    pub fn ggml_backend_sched_get_buffer_type(
        sched: ggml_backend_sched_t,
        backend: ggml_backend_t,
    ) -> ggml_backend_buffer_type_t;
    pub fn ggml_backend_sched_get_buffer_size(
        sched: ggml_backend_sched_t,
        backend: ggml_backend_t,
    ) -> usize;
    pub fn ggml_backend_sched_set_tensor_backend(
        sched: ggml_backend_sched_t,
        node: *mut ggml_tensor,
        backend: ggml_backend_t,
    );
    pub fn ggml_backend_sched_get_tensor_backend(
        sched: ggml_backend_sched_t,
        node: *mut ggml_tensor,
    ) -> ggml_backend_t;
    pub fn ggml_backend_sched_split_graph(
        sched: ggml_backend_sched_t,
        graph: *mut ggml_cgraph,
    );
    pub fn ggml_backend_sched_alloc_graph(
        sched: ggml_backend_sched_t,
        graph: *mut ggml_cgraph,
    ) -> bool;
    pub fn ggml_backend_sched_graph_compute(
        sched: ggml_backend_sched_t,
        graph: *mut ggml_cgraph,
    ) -> ggml_status;
    pub fn ggml_backend_sched_graph_compute_async(
        sched: ggml_backend_sched_t,
        graph: *mut ggml_cgraph,
    ) -> ggml_status;
    pub fn ggml_backend_sched_synchronize(sched: ggml_backend_sched_t);
    pub fn ggml_backend_sched_reset(sched: ggml_backend_sched_t);
    pub fn ggml_backend_sched_set_eval_callback(
        sched: ggml_backend_sched_t,
        callback: ggml_backend_sched_eval_callback,
        user_data: *mut ::core::ffi::c_void,
    );
    pub fn ggml_backend_sched_set_copy_callback(
        sched: ggml_backend_sched_t,
        callback: ggml_backend_sched_copy_callback,
        user_data: *mut ::core::ffi::c_void,
    );
    pub fn ggml_backend_meta_split_axis_name(
        split_axis: ggml_backend_meta_split_axis,
    ) -> *const ::core::ffi::c_char;
    pub fn ggml_backend_meta_device(
        devs: *mut ggml_backend_dev_t,
        n_devs: usize,
        get_split_state: ggml_backend_meta_get_split_state_t,
        get_split_state_ud: *mut ::core::ffi::c_void,
    ) -> ggml_backend_dev_t;
    pub fn ggml_backend_graph_copy(
        backend: ggml_backend_t,
        graph: *mut ggml_cgraph,
    ) -> ggml_backend_graph_copy;
    pub fn ggml_backend_graph_copy_free(copy: ggml_backend_graph_copy);
    pub fn ggml_backend_compare_graph_backend(
        backend1: ggml_backend_t,
        backend2: ggml_backend_t,
        graph: *mut ggml_cgraph,
        callback: ggml_backend_eval_callback,
        user_data: *mut ::core::ffi::c_void,
        test_nodes: *const *const ggml_tensor,
        num_test_nodes: usize,
    ) -> bool;
    pub fn ggml_backend_tensor_alloc(
        buffer: ggml_backend_buffer_t,
        tensor: *mut ggml_tensor,
        addr: *mut ::core::ffi::c_void,
    ) -> ggml_status;
    pub fn ggml_backend_view_init(tensor: *mut ggml_tensor) -> ggml_status;
    pub fn ggml_backend_cpu_buffer_from_ptr(
        ptr: *mut ::core::ffi::c_void,
        size: usize,
    ) -> ggml_backend_buffer_t;
    pub fn ggml_backend_cpu_buffer_type() -> ggml_backend_buffer_type_t;
    pub fn ggml_numa_init(numa: ggml_numa_strategy);
    pub fn ggml_is_numa() -> bool;
    pub fn ggml_new_i32(ctx: *mut ggml_context, value: i32) -> *mut ggml_tensor;
    pub fn ggml_new_f32(ctx: *mut ggml_context, value: f32) -> *mut ggml_tensor;
    pub fn ggml_set_i32(tensor: *mut ggml_tensor, value: i32) -> *mut ggml_tensor;
    pub fn ggml_set_f32(tensor: *mut ggml_tensor, value: f32) -> *mut ggml_tensor;
    pub fn ggml_get_i32_1d(tensor: *const ggml_tensor, i: ::core::ffi::c_int) -> i32;
    pub fn ggml_set_i32_1d(
        tensor: *const ggml_tensor,
        i: ::core::ffi::c_int,
        value: i32,
    );
    pub fn ggml_get_i32_nd(
        tensor: *const ggml_tensor,
        i0: ::core::ffi::c_int,
        i1: ::core::ffi::c_int,
        i2: ::core::ffi::c_int,
        i3: ::core::ffi::c_int,
    ) -> i32;
    pub fn ggml_set_i32_nd(
        tensor: *const ggml_tensor,
        i0: ::core::ffi::c_int,
        i1: ::core::ffi::c_int,
        i2: ::core::ffi::c_int,
        i3: ::core::ffi::c_int,
        value: i32,
    );
    pub fn ggml_get_f32_1d(tensor: *const ggml_tensor, i: ::core::ffi::c_int) -> f32;
    pub fn ggml_set_f32_1d(
        tensor: *const ggml_tensor,
        i: ::core::ffi::c_int,
        value: f32,
    );
    pub fn ggml_get_f32_nd(
        tensor: *const ggml_tensor,
        i0: ::core::ffi::c_int,
        i1: ::core::ffi::c_int,
        i2: ::core::ffi::c_int,
        i3: ::core::ffi::c_int,
    ) -> f32;
    pub fn ggml_set_f32_nd(
        tensor: *const ggml_tensor,
        i0: ::core::ffi::c_int,
        i1: ::core::ffi::c_int,
        i2: ::core::ffi::c_int,
        i3: ::core::ffi::c_int,
        value: f32,
    );
    pub fn ggml_threadpool_new(
        params: *mut ggml_threadpool_params,
    ) -> *mut ggml_threadpool;
    pub fn ggml_threadpool_free(threadpool: *mut ggml_threadpool);
    pub fn ggml_threadpool_pause(threadpool: *mut ggml_threadpool);
    pub fn ggml_threadpool_resume(threadpool: *mut ggml_threadpool);
    pub fn ggml_graph_plan(
        cgraph: *const ggml_cgraph,
        n_threads: ::core::ffi::c_int,
        threadpool: *mut ggml_threadpool,
    ) -> ggml_cplan;
    pub fn ggml_graph_compute(
        cgraph: *mut ggml_cgraph,
        cplan: *mut ggml_cplan,
    ) -> ggml_status;
    pub fn ggml_graph_compute_with_ctx(
        ctx: *mut ggml_context,
        cgraph: *mut ggml_cgraph,
        n_threads: ::core::ffi::c_int,
    ) -> ggml_status;
    pub fn ggml_cpu_has_sse3() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_ssse3() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx_vnni() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx2() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_bmi2() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_f16c() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_fma() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx512() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx512_vbmi() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx512_vnni() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_avx512_bf16() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_amx_int8() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_neon() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_arm_fma() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_fp16_va() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_dotprod() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_matmul_int8() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_sve() -> ::core::ffi::c_int;
    pub fn ggml_cpu_get_sve_cnt() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_sme() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_sme2() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_riscv_v() -> ::core::ffi::c_int;
    pub fn ggml_cpu_get_rvv_vlen() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_vsx() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_vxe() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_wasm_simd() -> ::core::ffi::c_int;
    pub fn ggml_cpu_has_llamafile() -> ::core::ffi::c_int;
    pub fn ggml_get_type_traits_cpu(type_: ggml_type) -> *const ggml_type_traits_cpu;
    pub fn ggml_cpu_init();
    pub fn ggml_backend_cpu_init() -> ggml_backend_t;
    pub fn ggml_backend_is_cpu(backend: ggml_backend_t) -> bool;
    pub fn ggml_backend_cpu_set_n_threads(
        backend_cpu: ggml_backend_t,
        n_threads: ::core::ffi::c_int,
    );
    pub fn ggml_backend_cpu_set_threadpool(
        backend_cpu: ggml_backend_t,
        threadpool: ggml_threadpool_t,
    );
    pub fn ggml_backend_cpu_set_abort_callback(
        backend_cpu: ggml_backend_t,
        abort_callback: ggml_abort_callback,
        abort_callback_data: *mut ::core::ffi::c_void,
    );
    pub fn ggml_backend_cpu_set_use_ref(backend_cpu: ggml_backend_t, use_ref: bool);
    pub fn ggml_backend_cpu_reg() -> ggml_backend_reg_t;
    pub fn ggml_cpu_fp32_to_fp32(arg1: *const f32, arg2: *mut f32, arg3: i64);
    pub fn ggml_cpu_fp32_to_i32(arg1: *const f32, arg2: *mut i32, arg3: i64);
    pub fn ggml_cpu_fp32_to_fp16(arg1: *const f32, arg2: *mut ggml_fp16_t, arg3: i64);
    pub fn ggml_cpu_fp16_to_fp32(arg1: *const ggml_fp16_t, arg2: *mut f32, arg3: i64);
    pub fn ggml_cpu_fp32_to_bf16(arg1: *const f32, arg2: *mut ggml_bf16_t, arg3: i64);
    pub fn ggml_cpu_bf16_to_fp32(arg1: *const ggml_bf16_t, arg2: *mut f32, arg3: i64);
    pub fn ggml_opt_dataset_init(
        type_data: ggml_type,
        type_label: ggml_type,
        ne_datapoint: i64,
        ne_label: i64,
        ndata: i64,
        ndata_shard: i64,
    ) -> ggml_opt_dataset_t;
    pub fn ggml_opt_dataset_free(dataset: ggml_opt_dataset_t);
    pub fn ggml_opt_dataset_ndata(dataset: ggml_opt_dataset_t) -> i64;
    pub fn ggml_opt_dataset_data(dataset: ggml_opt_dataset_t) -> *mut ggml_tensor;
    pub fn ggml_opt_dataset_labels(dataset: ggml_opt_dataset_t) -> *mut ggml_tensor;
    pub fn ggml_opt_dataset_shuffle(
        opt_ctx: ggml_opt_context_t,
        dataset: ggml_opt_dataset_t,
        idata: i64,
    );
    pub fn ggml_opt_dataset_get_batch(
        dataset: ggml_opt_dataset_t,
        data_batch: *mut ggml_tensor,
        labels_batch: *mut ggml_tensor,
        ibatch: i64,
    );
    pub fn ggml_opt_dataset_get_batch_host(
        dataset: ggml_opt_dataset_t,
        data_batch: *mut ::core::ffi::c_void,
        nb_data_batch: usize,
        labels_batch: *mut ::core::ffi::c_void,
        ibatch: i64,
    );
    pub fn ggml_opt_get_default_optimizer_params(
        userdata: *mut ::core::ffi::c_void,
    ) -> ggml_opt_optimizer_params;
    pub fn ggml_opt_get_constant_optimizer_params(
        userdata: *mut ::core::ffi::c_void,
    ) -> ggml_opt_optimizer_params;
    pub fn ggml_opt_default_params(
        backend_sched: ggml_backend_sched_t,
        loss_type: ggml_opt_loss_type,
    ) -> ggml_opt_params;
    pub fn ggml_opt_init(params: ggml_opt_params) -> ggml_opt_context_t;
    pub fn ggml_opt_free(opt_ctx: ggml_opt_context_t);
    pub fn ggml_opt_reset(opt_ctx: ggml_opt_context_t, optimizer: bool);
    pub fn ggml_opt_static_graphs(opt_ctx: ggml_opt_context_t) -> bool;
    pub fn ggml_opt_inputs(opt_ctx: ggml_opt_context_t) -> *mut ggml_tensor;
    pub fn ggml_opt_outputs(opt_ctx: ggml_opt_context_t) -> *mut ggml_tensor;
    pub fn ggml_opt_labels(opt_ctx: ggml_opt_context_t) -> *mut ggml_tensor;
    pub fn ggml_opt_loss(opt_ctx: ggml_opt_context_t) -> *mut ggml_tensor;
    pub fn ggml_opt_pred(opt_ctx: ggml_opt_context_t) -> *mut ggml_tensor;
    pub fn ggml_opt_ncorrect(opt_ctx: ggml_opt_context_t) -> *mut ggml_tensor;
    pub fn ggml_opt_grad_acc(
        opt_ctx: ggml_opt_context_t,
        node: *mut ggml_tensor,
    ) -> *mut ggml_tensor;
    pub fn ggml_opt_context_optimizer_type(
        arg1: ggml_opt_context_t,
    ) -> ggml_opt_optimizer_type;
    pub fn ggml_opt_optimizer_name(
        arg1: ggml_opt_optimizer_type,
    ) -> *const ::core::ffi::c_char;
    pub fn ggml_opt_result_init() -> ggml_opt_result_t;
    pub fn ggml_opt_result_free(result: ggml_opt_result_t);
    pub fn ggml_opt_result_reset(result: ggml_opt_result_t);
    pub fn ggml_opt_result_ndata(result: ggml_opt_result_t, ndata: *mut i64);
    pub fn ggml_opt_result_loss(
        result: ggml_opt_result_t,
        loss: *mut f64,
        unc: *mut f64,
    );
    pub fn ggml_opt_result_pred(result: ggml_opt_result_t, pred: *mut i32);
    pub fn ggml_opt_result_accuracy(
        result: ggml_opt_result_t,
        accuracy: *mut f64,
        unc: *mut f64,
    );
    pub fn ggml_opt_prepare_alloc(
        opt_ctx: ggml_opt_context_t,
        ctx_compute: *mut ggml_context,
        gf: *mut ggml_cgraph,
        inputs: *mut ggml_tensor,
        outputs: *mut ggml_tensor,
    );
    pub fn ggml_opt_alloc(opt_ctx: ggml_opt_context_t, backward: bool);
    pub fn ggml_opt_eval(opt_ctx: ggml_opt_context_t, result: ggml_opt_result_t);
    pub fn ggml_opt_epoch(
        opt_ctx: ggml_opt_context_t,
        dataset: ggml_opt_dataset_t,
        result_train: ggml_opt_result_t,
        result_eval: ggml_opt_result_t,
        idata_split: i64,
        callback_train: ggml_opt_epoch_callback,
        callback_eval: ggml_opt_epoch_callback,
    );
    pub fn ggml_opt_epoch_callback_progress_bar(
        train: bool,
        opt_ctx: ggml_opt_context_t,
        dataset: ggml_opt_dataset_t,
        result: ggml_opt_result_t,
        ibatch: i64,
        ibatch_max: i64,
        t_start_us: i64,
    );
    pub fn ggml_opt_fit(
        backend_sched: ggml_backend_sched_t,
        ctx_compute: *mut ggml_context,
        inputs: *mut ggml_tensor,
        outputs: *mut ggml_tensor,
        dataset: ggml_opt_dataset_t,
        loss_type: ggml_opt_loss_type,
        optimizer: ggml_opt_optimizer_type,
        get_opt_pars: ggml_opt_get_optimizer_params,
        nepoch: i64,
        nbatch_logical: i64,
        val_split: f32,
        silent: bool,
    );
    pub fn gguf_init_empty() -> *mut gguf_context;
    pub fn gguf_init_from_file_ptr(
        file: *mut FILE,
        params: gguf_init_params,
    ) -> *mut gguf_context;
    pub fn gguf_init_from_file(
        fname: *const ::core::ffi::c_char,
        params: gguf_init_params,
    ) -> *mut gguf_context;
    pub fn gguf_init_from_buffer(
        data: *const ::core::ffi::c_void,
        size: usize,
        params: gguf_init_params,
    ) -> *mut gguf_context;
    pub fn gguf_init_from_callback(
        callback: gguf_reader_callback_t,
        userdata: *mut ::core::ffi::c_void,
        max_chunk_read: usize,
        max_expected_size: u64,
        params: gguf_init_params,
    ) -> *mut gguf_context;
    pub fn gguf_free(ctx: *mut gguf_context);
    pub fn gguf_type_name(type_: gguf_type) -> *const ::core::ffi::c_char;
    pub fn gguf_get_version(ctx: *const gguf_context) -> u32;
    pub fn gguf_get_alignment(ctx: *const gguf_context) -> usize;
    pub fn gguf_get_data_offset(ctx: *const gguf_context) -> usize;
    pub fn gguf_get_n_kv(ctx: *const gguf_context) -> i64;
    pub fn gguf_find_key(
        ctx: *const gguf_context,
        key: *const ::core::ffi::c_char,
    ) -> i64;
    pub fn gguf_get_key(
        ctx: *const gguf_context,
        key_id: i64,
    ) -> *const ::core::ffi::c_char;
    pub fn gguf_get_kv_type(ctx: *const gguf_context, key_id: i64) -> gguf_type;
    pub fn gguf_get_arr_type(ctx: *const gguf_context, key_id: i64) -> gguf_type;
    pub fn gguf_get_val_u8(ctx: *const gguf_context, key_id: i64) -> u8;
    pub fn gguf_get_val_i8(ctx: *const gguf_context, key_id: i64) -> i8;
    pub fn gguf_get_val_u16(ctx: *const gguf_context, key_id: i64) -> u16;
    pub fn gguf_get_val_i16(ctx: *const gguf_context, key_id: i64) -> i16;
    pub fn gguf_get_val_u32(ctx: *const gguf_context, key_id: i64) -> u32;
    pub fn gguf_get_val_i32(ctx: *const gguf_context, key_id: i64) -> i32;
    pub fn gguf_get_val_f32(ctx: *const gguf_context, key_id: i64) -> f32;
    pub fn gguf_get_val_u64(ctx: *const gguf_context, key_id: i64) -> u64;
    pub fn gguf_get_val_i64(ctx: *const gguf_context, key_id: i64) -> i64;
    pub fn gguf_get_val_f64(ctx: *const gguf_context, key_id: i64) -> f64;
    pub fn gguf_get_val_bool(ctx: *const gguf_context, key_id: i64) -> bool;
    pub fn gguf_get_val_str(
        ctx: *const gguf_context,
        key_id: i64,
    ) -> *const ::core::ffi::c_char;
    pub fn gguf_get_val_data(
        ctx: *const gguf_context,
        key_id: i64,
    ) -> *const ::core::ffi::c_void;
    pub fn gguf_get_arr_n(ctx: *const gguf_context, key_id: i64) -> usize;
    pub fn gguf_get_arr_data(
        ctx: *const gguf_context,
        key_id: i64,
    ) -> *const ::core::ffi::c_void;
    pub fn gguf_get_arr_str(
        ctx: *const gguf_context,
        key_id: i64,
        i: usize,
    ) -> *const ::core::ffi::c_char;
    pub fn gguf_get_n_tensors(ctx: *const gguf_context) -> i64;
    pub fn gguf_find_tensor(
        ctx: *const gguf_context,
        name: *const ::core::ffi::c_char,
    ) -> i64;
    pub fn gguf_get_tensor_offset(ctx: *const gguf_context, tensor_id: i64) -> usize;
    pub fn gguf_get_tensor_name(
        ctx: *const gguf_context,
        tensor_id: i64,
    ) -> *const ::core::ffi::c_char;
    pub fn gguf_get_tensor_ne(ctx: *const gguf_context, tensor_id: i64) -> *const i64;
    pub fn gguf_get_tensor_type(ctx: *const gguf_context, tensor_id: i64) -> ggml_type;
    pub fn gguf_get_tensor_size(ctx: *const gguf_context, tensor_id: i64) -> usize;
    pub fn gguf_remove_key(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
    ) -> i64;
    pub fn gguf_set_val_u8(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: u8,
    );
    pub fn gguf_set_val_i8(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: i8,
    );
    pub fn gguf_set_val_u16(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: u16,
    );
    pub fn gguf_set_val_i16(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: i16,
    );
    pub fn gguf_set_val_u32(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: u32,
    );
    pub fn gguf_set_val_i32(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: i32,
    );
    pub fn gguf_set_val_f32(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: f32,
    );
    pub fn gguf_set_val_u64(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: u64,
    );
    pub fn gguf_set_val_i64(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: i64,
    );
    pub fn gguf_set_val_f64(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: f64,
    );
    pub fn gguf_set_val_bool(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: bool,
    );
    pub fn gguf_set_val_str(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        val: *const ::core::ffi::c_char,
    );
    pub fn gguf_set_arr_data(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        type_: gguf_type,
        data: *const ::core::ffi::c_void,
        n: usize,
    );
    pub fn gguf_set_arr_str(
        ctx: *mut gguf_context,
        key: *const ::core::ffi::c_char,
        data: *mut *const ::core::ffi::c_char,
        n: usize,
    );
    pub fn gguf_set_kv(ctx: *mut gguf_context, src: *const gguf_context);
    pub fn gguf_add_tensor(ctx: *mut gguf_context, tensor: *const ggml_tensor);
    pub fn gguf_set_tensor_type(
        ctx: *mut gguf_context,
        name: *const ::core::ffi::c_char,
        type_: ggml_type,
    );
    pub fn gguf_set_tensor_data(
        ctx: *mut gguf_context,
        name: *const ::core::ffi::c_char,
        data: *const ::core::ffi::c_void,
    );
    pub fn gguf_write_to_file_ptr(
        ctx: *const gguf_context,
        file: *mut FILE,
        only_meta: bool,
    ) -> bool;
    pub fn gguf_write_to_file(
        ctx: *const gguf_context,
        fname: *const ::core::ffi::c_char,
        only_meta: bool,
    ) -> bool;
    pub fn gguf_get_meta_size(ctx: *const gguf_context) -> usize;
    pub fn gguf_get_meta_data(ctx: *const gguf_context, data: *mut ::core::ffi::c_void);
    pub fn llama_ftype_name(ftype: llama_ftype) -> *const ::core::ffi::c_char;
    pub fn llama_flash_attn_type_name(
        flash_attn_type: llama_flash_attn_type,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_load_mode_name(
        load_mode: llama_load_mode,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_load_mode_from_str(str_: *const ::core::ffi::c_char) -> llama_load_mode;
    pub fn llama_version() -> *const ::core::ffi::c_char;
    pub fn llama_model_default_params() -> llama_model_params;
    pub fn llama_context_default_params() -> llama_context_params;
    pub fn llama_sampler_chain_default_params() -> llama_sampler_chain_params;
    pub fn llama_model_quantize_default_params() -> llama_model_quantize_params;
    pub fn llama_backend_init();
    pub fn llama_backend_free();
    pub fn llama_numa_init(numa: ggml_numa_strategy);
    pub fn llama_attach_threadpool(
        ctx: *mut llama_context,
        threadpool: ggml_threadpool_t,
        threadpool_batch: ggml_threadpool_t,
    );
    pub fn llama_detach_threadpool(ctx: *mut llama_context);
    pub fn llama_model_init_from_user(
        metadata: *mut gguf_context,
        set_tensor_data: llama_model_set_tensor_data_t,
        set_tensor_data_ud: *mut ::core::ffi::c_void,
        params: llama_model_params,
    ) -> *mut llama_model;
    pub fn llama_load_model_from_file(
        path_model: *const ::core::ffi::c_char,
        params: llama_model_params,
    ) -> *mut llama_model;
    pub fn llama_model_load_from_file(
        path_model: *const ::core::ffi::c_char,
        params: llama_model_params,
    ) -> *mut llama_model;
    pub fn llama_model_load_from_file_ptr(
        file: *mut FILE,
        params: llama_model_params,
    ) -> *mut llama_model;
    pub fn llama_model_load_from_splits(
        paths: *mut *const ::core::ffi::c_char,
        n_paths: usize,
        params: llama_model_params,
    ) -> *mut llama_model;
    pub fn llama_model_save_to_file(
        model: *const llama_model,
        path_model: *const ::core::ffi::c_char,
    );
    pub fn llama_free_model(model: *mut llama_model);
    pub fn llama_model_free(model: *mut llama_model);
    pub fn llama_init_from_model(
        model: *mut llama_model,
        params: llama_context_params,
    ) -> *mut llama_context;
    pub fn llama_new_context_with_model(
        model: *mut llama_model,
        params: llama_context_params,
    ) -> *mut llama_context;
    pub fn llama_free(ctx: *mut llama_context);
    pub fn llama_time_us() -> i64;
    pub fn llama_max_devices() -> usize;
    pub fn llama_max_parallel_sequences() -> usize;
    pub fn llama_max_tensor_buft_overrides() -> usize;
    pub fn llama_supports_mmap() -> bool;
    pub fn llama_supports_mlock() -> bool;
    pub fn llama_supports_gpu_offload() -> bool;
    pub fn llama_supports_rpc() -> bool;
    pub fn llama_n_ctx(ctx: *const llama_context) -> u32;
    pub fn llama_n_ctx_seq(ctx: *const llama_context) -> u32;
    pub fn llama_n_batch(ctx: *const llama_context) -> u32;
    pub fn llama_n_ubatch(ctx: *const llama_context) -> u32;
    pub fn llama_n_seq_max(ctx: *const llama_context) -> u32;
    pub fn llama_n_rs_seq(ctx: *const llama_context) -> u32;
    pub fn llama_n_ctx_train(model: *const llama_model) -> i32;
    pub fn llama_n_embd(model: *const llama_model) -> i32;
    pub fn llama_n_layer(model: *const llama_model) -> i32;
    pub fn llama_n_head(model: *const llama_model) -> i32;
    pub fn llama_n_vocab(vocab: *const llama_vocab) -> i32;
    pub fn llama_get_model(ctx: *const llama_context) -> *const llama_model;
    pub fn llama_get_memory(ctx: *const llama_context) -> llama_memory_t;
    pub fn llama_pooling_type(ctx: *const llama_context) -> llama_pooling_type;
    pub fn llama_model_get_vocab(model: *const llama_model) -> *const llama_vocab;
    pub fn llama_model_rope_type(model: *const llama_model) -> llama_rope_type;
    pub fn llama_model_n_ctx_train(model: *const llama_model) -> i32;
    pub fn llama_model_n_embd(model: *const llama_model) -> i32;
    pub fn llama_model_n_embd_inp(model: *const llama_model) -> i32;
    pub fn llama_model_n_embd_out(model: *const llama_model) -> i32;
    pub fn llama_model_n_layer(model: *const llama_model) -> i32;
    pub fn llama_model_n_layer_nextn(model: *const llama_model) -> i32;
    pub fn llama_model_n_head(model: *const llama_model) -> i32;
    pub fn llama_model_n_head_kv(model: *const llama_model) -> i32;
    pub fn llama_model_n_swa(model: *const llama_model) -> i32;
    pub fn llama_model_rope_freq_scale_train(model: *const llama_model) -> f32;
    pub fn llama_model_n_cls_out(model: *const llama_model) -> u32;
    pub fn llama_model_cls_label(
        model: *const llama_model,
        i: u32,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_vocab_type(vocab: *const llama_vocab) -> llama_vocab_type;
    pub fn llama_vocab_n_tokens(vocab: *const llama_vocab) -> i32;
    pub fn llama_model_meta_val_str(
        model: *const llama_model,
        key: *const ::core::ffi::c_char,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_model_meta_count(model: *const llama_model) -> i32;
    pub fn llama_model_meta_key_str(
        key: llama_model_meta_key,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_model_meta_key_by_index(
        model: *const llama_model,
        i: i32,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_model_meta_val_str_by_index(
        model: *const llama_model,
        i: i32,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_model_desc(
        model: *const llama_model,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_model_ftype(model: *const llama_model) -> llama_ftype;
    pub fn llama_model_size(model: *const llama_model) -> u64;
    pub fn llama_model_chat_template(
        model: *const llama_model,
        name: *const ::core::ffi::c_char,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_model_n_params(model: *const llama_model) -> u64;
    pub fn llama_model_has_encoder(model: *const llama_model) -> bool;
    pub fn llama_model_has_decoder(model: *const llama_model) -> bool;
    pub fn llama_model_decoder_start_token(model: *const llama_model) -> llama_token;
    pub fn llama_model_is_recurrent(model: *const llama_model) -> bool;
    pub fn llama_model_is_hybrid(model: *const llama_model) -> bool;
    pub fn llama_model_is_diffusion(model: *const llama_model) -> bool;
    pub fn llama_model_quantize(
        fname_inp: *const ::core::ffi::c_char,
        fname_out: *const ::core::ffi::c_char,
        params: *const llama_model_quantize_params,
    ) -> u32;
    pub fn llama_adapter_lora_init(
        model: *mut llama_model,
        path_lora: *const ::core::ffi::c_char,
    ) -> *mut llama_adapter_lora;
    pub fn llama_adapter_lora_init_from_file_ptr(
        model: *mut llama_model,
        file: *mut FILE,
    ) -> *mut llama_adapter_lora;
    pub fn llama_adapter_meta_val_str(
        adapter: *const llama_adapter_lora,
        key: *const ::core::ffi::c_char,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_adapter_meta_count(adapter: *const llama_adapter_lora) -> i32;
    pub fn llama_adapter_meta_key_by_index(
        adapter: *const llama_adapter_lora,
        i: i32,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_adapter_meta_val_str_by_index(
        adapter: *const llama_adapter_lora,
        i: i32,
        buf: *mut ::core::ffi::c_char,
        buf_size: usize,
    ) -> i32;
    pub fn llama_adapter_lora_free(adapter: *mut llama_adapter_lora);
    pub fn llama_adapter_get_alora_n_invocation_tokens(
        adapter: *const llama_adapter_lora,
    ) -> u64;
    pub fn llama_adapter_get_alora_invocation_tokens(
        adapter: *const llama_adapter_lora,
    ) -> *const llama_token;
    pub fn llama_set_adapters_lora(
        ctx: *mut llama_context,
        adapters: *mut *mut llama_adapter_lora,
        n_adapters: usize,
        scales: *mut f32,
    ) -> i32;
    pub fn llama_set_adapter_cvec(
        ctx: *mut llama_context,
        data: *const f32,
        len: usize,
        n_embd: i32,
        il_start: i32,
        il_end: i32,
    ) -> i32;
    pub fn llama_memory_clear(mem: llama_memory_t, data: bool);
    pub fn llama_memory_seq_rm(
        mem: llama_memory_t,
        seq_id: llama_seq_id,
        p0: llama_pos,
        p1: llama_pos,
    ) -> bool;
    pub fn llama_memory_seq_cp(
        mem: llama_memory_t,
        seq_id_src: llama_seq_id,
        seq_id_dst: llama_seq_id,
        p0: llama_pos,
        p1: llama_pos,
    );
    pub fn llama_memory_seq_keep(mem: llama_memory_t, seq_id: llama_seq_id);
    pub fn llama_memory_seq_add(
        mem: llama_memory_t,
        seq_id: llama_seq_id,
        p0: llama_pos,
        p1: llama_pos,
        delta: llama_pos,
    );
    pub fn llama_memory_seq_div(
        mem: llama_memory_t,
        seq_id: llama_seq_id,
        p0: llama_pos,
        p1: llama_pos,
        d: ::core::ffi::c_int,
    );
    pub fn llama_memory_seq_pos_min(
        mem: llama_memory_t,
        seq_id: llama_seq_id,
    ) -> llama_pos;
    pub fn llama_memory_seq_pos_max(
        mem: llama_memory_t,
        seq_id: llama_seq_id,
    ) -> llama_pos;
    pub fn llama_memory_can_shift(mem: llama_memory_t) -> bool;
    pub fn llama_state_get_size(ctx: *mut llama_context) -> usize;
    pub fn llama_get_state_size(ctx: *mut llama_context) -> usize;
    pub fn llama_state_get_data(
        ctx: *mut llama_context,
        dst: *mut u8,
        size: usize,
    ) -> usize;
    pub fn llama_copy_state_data(ctx: *mut llama_context, dst: *mut u8) -> usize;
    pub fn llama_state_set_data(
        ctx: *mut llama_context,
        src: *const u8,
        size: usize,
    ) -> usize;
    pub fn llama_set_state_data(ctx: *mut llama_context, src: *const u8) -> usize;
    pub fn llama_state_load_file(
        ctx: *mut llama_context,
        path_session: *const ::core::ffi::c_char,
        tokens_out: *mut llama_token,
        n_token_capacity: usize,
        n_token_count_out: *mut usize,
    ) -> bool;
    pub fn llama_load_session_file(
        ctx: *mut llama_context,
        path_session: *const ::core::ffi::c_char,
        tokens_out: *mut llama_token,
        n_token_capacity: usize,
        n_token_count_out: *mut usize,
    ) -> bool;
    pub fn llama_state_save_file(
        ctx: *mut llama_context,
        path_session: *const ::core::ffi::c_char,
        tokens: *const llama_token,
        n_token_count: usize,
    ) -> bool;
    pub fn llama_save_session_file(
        ctx: *mut llama_context,
        path_session: *const ::core::ffi::c_char,
        tokens: *const llama_token,
        n_token_count: usize,
    ) -> bool;
    pub fn llama_state_seq_get_size(
        ctx: *mut llama_context,
        seq_id: llama_seq_id,
    ) -> usize;
    pub fn llama_state_seq_get_data(
        ctx: *mut llama_context,
        dst: *mut u8,
        size: usize,
        seq_id: llama_seq_id,
    ) -> usize;
    pub fn llama_state_seq_set_data(
        ctx: *mut llama_context,
        src: *const u8,
        size: usize,
        dest_seq_id: llama_seq_id,
    ) -> usize;
    pub fn llama_state_seq_save_file(
        ctx: *mut llama_context,
        filepath: *const ::core::ffi::c_char,
        seq_id: llama_seq_id,
        tokens: *const llama_token,
        n_token_count: usize,
    ) -> usize;
    pub fn llama_state_seq_load_file(
        ctx: *mut llama_context,
        filepath: *const ::core::ffi::c_char,
        dest_seq_id: llama_seq_id,
        tokens_out: *mut llama_token,
        n_token_capacity: usize,
        n_token_count_out: *mut usize,
    ) -> usize;
    pub fn llama_state_seq_get_size_ext(
        ctx: *mut llama_context,
        seq_id: llama_seq_id,
        flags: llama_state_seq_flags,
    ) -> usize;
    pub fn llama_state_seq_get_data_ext(
        ctx: *mut llama_context,
        dst: *mut u8,
        size: usize,
        seq_id: llama_seq_id,
        flags: llama_state_seq_flags,
    ) -> usize;
    pub fn llama_state_seq_set_data_ext(
        ctx: *mut llama_context,
        src: *const u8,
        size: usize,
        dest_seq_id: llama_seq_id,
        flags: llama_state_seq_flags,
    ) -> usize;
    pub fn llama_batch_get_one(tokens: *mut llama_token, n_tokens: i32) -> llama_batch;
    pub fn llama_batch_init(n_tokens: i32, embd: i32, n_seq_max: i32) -> llama_batch;
    pub fn llama_batch_free(batch: llama_batch);
    pub fn llama_encode(ctx: *mut llama_context, batch: llama_batch) -> i32;
    pub fn llama_decode(ctx: *mut llama_context, batch: llama_batch) -> i32;
    pub fn llama_batch_ext_init(ctx: *mut llama_context) -> *mut llama_batch_ext;
    pub fn llama_batch_ext_free(batch: *mut llama_batch_ext);
    pub fn llama_batch_ext_clear(batch: *mut llama_batch_ext);
    pub fn llama_batch_ext_add(batch: *mut llama_batch_ext, seq_id: llama_seq_id) -> i32;
    pub fn llama_batch_ext_add_token(
        batch: *mut llama_batch_ext,
        seq_id: llama_seq_id,
        id: llama_token,
    ) -> i32;
    pub fn llama_batch_ext_add_embd(
        batch: *mut llama_batch_ext,
        seq_id: llama_seq_id,
        embd: llama_embd,
    ) -> i32;
    pub fn llama_batch_ext_add_seq(
        batch: *mut llama_batch_ext,
        idx: i32,
        seq_id: llama_seq_id,
    ) -> bool;
    pub fn llama_batch_ext_set_embd_token(
        batch: *mut llama_batch_ext,
        idx: i32,
        embd: llama_embd,
    ) -> bool;
    pub fn llama_batch_ext_set_embd_state(
        batch: *mut llama_batch_ext,
        idx: i32,
        embd: llama_embd,
    ) -> bool;
    pub fn llama_batch_ext_set_output_embd(
        batch: *mut llama_batch_ext,
        idx: i32,
        value: bool,
    ) -> bool;
    pub fn llama_batch_ext_set_output_logits(
        batch: *mut llama_batch_ext,
        idx: i32,
        value: bool,
    ) -> bool;
    pub fn llama_batch_ext_set_pos(
        batch: *mut llama_batch_ext,
        idx: i32,
        pos: *const llama_pos,
    ) -> bool;
    pub fn llama_process(
        ctx: *mut llama_context,
        type_: llama_process_type,
        batch: *mut llama_batch_ext,
    ) -> i32;
    pub fn llama_set_n_threads(
        ctx: *mut llama_context,
        n_threads: i32,
        n_threads_batch: i32,
    );
    pub fn llama_n_threads(ctx: *mut llama_context) -> i32;
    pub fn llama_n_threads_batch(ctx: *mut llama_context) -> i32;
    pub fn llama_set_embeddings(ctx: *mut llama_context, embeddings: bool);
    pub fn llama_set_causal_attn(ctx: *mut llama_context, causal_attn: bool);
    pub fn llama_get_causal_attn(ctx: *const llama_context) -> bool;
    pub fn llama_set_warmup(ctx: *mut llama_context, warmup: bool);
    pub fn llama_set_abort_callback(
        ctx: *mut llama_context,
        abort_callback: ggml_abort_callback,
        abort_callback_data: *mut ::core::ffi::c_void,
    );
    pub fn llama_synchronize(ctx: *mut llama_context);
    pub fn llama_get_logits(ctx: *mut llama_context) -> *mut f32;
    pub fn llama_get_logits_ith(ctx: *mut llama_context, i: i32) -> *mut f32;
    pub fn llama_get_embeddings(ctx: *mut llama_context) -> *mut f32;
    pub fn llama_get_embeddings_ith(ctx: *mut llama_context, i: i32) -> *mut f32;
    pub fn llama_get_embeddings_seq(
        ctx: *mut llama_context,
        seq_id: llama_seq_id,
    ) -> *mut f32;
    pub fn llama_get_sampled_token_ith(ctx: *mut llama_context, i: i32) -> llama_token;
    pub fn llama_get_sampled_probs_ith(ctx: *mut llama_context, i: i32) -> *mut f32;
    pub fn llama_get_sampled_probs_count_ith(ctx: *mut llama_context, i: i32) -> u32;
    pub fn llama_get_sampled_logits_ith(ctx: *mut llama_context, i: i32) -> *mut f32;
    pub fn llama_get_sampled_logits_count_ith(ctx: *mut llama_context, i: i32) -> u32;
    pub fn llama_get_sampled_candidates_ith(
        ctx: *mut llama_context,
        i: i32,
    ) -> *mut llama_token;
    pub fn llama_get_sampled_candidates_count_ith(
        ctx: *mut llama_context,
        i: i32,
    ) -> u32;
    pub fn llama_vocab_get_text(
        vocab: *const llama_vocab,
        token: llama_token,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_vocab_get_score(vocab: *const llama_vocab, token: llama_token) -> f32;
    pub fn llama_vocab_get_attr(
        vocab: *const llama_vocab,
        token: llama_token,
    ) -> llama_token_attr;
    pub fn llama_vocab_is_eog(vocab: *const llama_vocab, token: llama_token) -> bool;
    pub fn llama_vocab_is_control(vocab: *const llama_vocab, token: llama_token) -> bool;
    pub fn llama_vocab_bos(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_eos(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_eot(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_sep(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_nl(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_pad(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_mask(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_get_add_bos(vocab: *const llama_vocab) -> bool;
    pub fn llama_vocab_get_add_eos(vocab: *const llama_vocab) -> bool;
    pub fn llama_vocab_get_add_sep(vocab: *const llama_vocab) -> bool;
    pub fn llama_vocab_get_suppress_tokens(
        vocab: *const llama_vocab,
        n_suppress_tokens: *mut i32,
    ) -> *const llama_token;
    pub fn llama_vocab_fim_pre(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_fim_suf(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_fim_mid(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_fim_pad(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_fim_rep(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_fim_sep(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_get_text(
        vocab: *const llama_vocab,
        token: llama_token,
    ) -> *const ::core::ffi::c_char;
    pub fn llama_token_get_score(vocab: *const llama_vocab, token: llama_token) -> f32;
    pub fn llama_token_get_attr(
        vocab: *const llama_vocab,
        token: llama_token,
    ) -> llama_token_attr;
    pub fn llama_token_is_eog(vocab: *const llama_vocab, token: llama_token) -> bool;
    pub fn llama_token_is_control(vocab: *const llama_vocab, token: llama_token) -> bool;
    pub fn llama_token_bos(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_eos(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_eot(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_cls(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_sep(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_nl(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_pad(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_add_bos_token(vocab: *const llama_vocab) -> bool;
    pub fn llama_add_eos_token(vocab: *const llama_vocab) -> bool;
    pub fn llama_token_fim_pre(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_fim_suf(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_fim_mid(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_fim_pad(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_fim_rep(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_token_fim_sep(vocab: *const llama_vocab) -> llama_token;
    pub fn llama_vocab_cls(vocab: *const llama_vocab) -> llama_token;
    /** @details Convert the provided text into tokens.
 @param tokens The tokens pointer must be large enough to hold the resulting tokens.
 @return Returns the number of tokens on success, no more than n_tokens_max
 @return Returns a negative number on failure - the number of tokens that would have been returned
 @return Returns INT32_MIN on overflow (e.g., tokenization result size exceeds int32_t limit)
 @param add_special Allow to add BOS and EOS tokens if model is configured to do so.
 @param parse_special Allow tokenizing special and/or control tokens which otherwise are not exposed and treated
                      as plaintext. Does not insert a leading space.*/
    pub fn llama_tokenize(
        vocab: *const llama_vocab,
        text: *const ::core::ffi::c_char,
        text_len: i32,
        tokens: *mut llama_token,
        n_tokens_max: i32,
        add_special: bool,
        parse_special: bool,
    ) -> i32;
    pub fn llama_token_to_piece(
        vocab: *const llama_vocab,
        token: llama_token,
        buf: *mut ::core::ffi::c_char,
        length: i32,
        lstrip: i32,
        special: bool,
    ) -> i32;
    /** @details Convert the provided tokens into text (inverse of llama_tokenize()).
 @param text The char pointer must be large enough to hold the resulting text.
 @return Returns the number of chars/bytes on success, no more than text_len_max.
 @return Returns a negative number on failure - the number of chars/bytes that would have been returned.
 @param remove_special Allow to remove BOS and EOS tokens if model is configured to do so.
 @param unparse_special If true, special tokens are rendered in the output.*/
    pub fn llama_detokenize(
        vocab: *const llama_vocab,
        tokens: *const llama_token,
        n_tokens: i32,
        text: *mut ::core::ffi::c_char,
        text_len_max: i32,
        remove_special: bool,
        unparse_special: bool,
    ) -> i32;
    /** Apply chat template. Inspired by hf apply_chat_template() on python.

 NOTE: This function does not use a jinja parser. It only support a pre-defined list of template. See more: https://github.com/ggml-org/llama.cpp/wiki/Templates-supported-by-llama_chat_apply_template
 @param tmpl A Jinja template to use for this chat.
 @param chat Pointer to a list of multiple llama_chat_message
 @param n_msg Number of llama_chat_message in this chat
 @param add_ass Whether to end the prompt with the token(s) that indicate the start of an assistant message.
 @param buf A buffer to hold the output formatted prompt. The recommended alloc size is 2 * (total number of characters of all messages)
 @param length The size of the allocated buffer
 @return The total number of bytes of the formatted prompt. If is it larger than the size of buffer, you may need to re-alloc it and then re-apply the template.*/
    pub fn llama_chat_apply_template(
        tmpl: *const ::core::ffi::c_char,
        chat: *const llama_chat_message,
        n_msg: usize,
        add_ass: bool,
        buf: *mut ::core::ffi::c_char,
        length: i32,
    ) -> i32;
    pub fn llama_chat_builtin_templates(
        output: *mut *const ::core::ffi::c_char,
        len: usize,
    ) -> i32;
    pub fn llama_set_sampler(
        ctx: *mut llama_context,
        seq_id: llama_seq_id,
        smpl: *mut llama_sampler,
    ) -> bool;
    pub fn llama_sampler_init(
        iface: *mut llama_sampler_i,
        ctx: llama_sampler_context_t,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_name(smpl: *const llama_sampler) -> *const ::core::ffi::c_char;
    pub fn llama_sampler_accept(smpl: *mut llama_sampler, token: llama_token);
    pub fn llama_sampler_apply(
        smpl: *mut llama_sampler,
        cur_p: *mut llama_token_data_array,
    );
    pub fn llama_sampler_reset(smpl: *mut llama_sampler);
    pub fn llama_sampler_clone(smpl: *const llama_sampler) -> *mut llama_sampler;
    pub fn llama_sampler_copy(src: *const llama_sampler, dst: *mut llama_sampler);
    pub fn llama_sampler_free(smpl: *mut llama_sampler);
    pub fn llama_sampler_chain_init(
        params: llama_sampler_chain_params,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_chain_add(chain: *mut llama_sampler, smpl: *mut llama_sampler);
    pub fn llama_sampler_chain_get(
        chain: *mut llama_sampler,
        i: i32,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_chain_n(chain: *const llama_sampler) -> i32;
    pub fn llama_sampler_chain_remove(
        chain: *mut llama_sampler,
        i: i32,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_init_greedy() -> *mut llama_sampler;
    /// seed == LLAMA_DEFAULT_SEED to use a random seed.
    pub fn llama_sampler_init_dist(seed: u32) -> *mut llama_sampler;
    /** @details Top-K sampling described in academic paper "The Curious Case of Neural Text Degeneration" https://arxiv.org/abs/1904.09751
 Setting k <= 0 makes this a noop*/
    pub fn llama_sampler_init_top_k(k: i32) -> *mut llama_sampler;
    /// @details Nucleus sampling described in academic paper "The Curious Case of Neural Text Degeneration" https://arxiv.org/abs/1904.09751
    pub fn llama_sampler_init_top_p(p: f32, min_keep: usize) -> *mut llama_sampler;
    /// @details Minimum P sampling as described in https://github.com/ggml-org/llama.cpp/pull/3841
    pub fn llama_sampler_init_min_p(p: f32, min_keep: usize) -> *mut llama_sampler;
    /// @details Locally Typical Sampling implementation described in the paper https://arxiv.org/abs/2202.00666.
    pub fn llama_sampler_init_typical(p: f32, min_keep: usize) -> *mut llama_sampler;
    /// #details Updates the logits l_i` = l_i/t. When t <= 0.0f, the maximum logit is kept at it's original value, the rest are set to -inf
    pub fn llama_sampler_init_temp(t: f32) -> *mut llama_sampler;
    /// @details Dynamic temperature implementation (a.k.a. entropy) described in the paper https://arxiv.org/abs/2309.02772.
    pub fn llama_sampler_init_temp_ext(
        t: f32,
        delta: f32,
        exponent: f32,
    ) -> *mut llama_sampler;
    /// @details XTC sampler as described in https://github.com/oobabooga/text-generation-webui/pull/6335
    pub fn llama_sampler_init_xtc(
        p: f32,
        t: f32,
        min_keep: usize,
        seed: u32,
    ) -> *mut llama_sampler;
    /// @details Top n sigma sampling as described in academic paper "Top-nσ: Not All Logits Are You Need" https://arxiv.org/pdf/2411.07641
    pub fn llama_sampler_init_top_n_sigma(n: f32) -> *mut llama_sampler;
    /** @details Mirostat 1.0 algorithm described in the paper https://arxiv.org/abs/2007.14966. Uses tokens instead of words.
 @param candidates A vector of `llama_token_data` containing the candidate tokens, their probabilities (p), and log-odds (logit) for the current position in the generated text.
 @param tau  The target cross-entropy (or surprise) value you want to achieve for the generated text. A higher value corresponds to more surprising or less predictable text, while a lower value corresponds to less surprising or more predictable text.
 @param eta The learning rate used to update `mu` based on the error between the target and observed surprisal of the sampled word. A larger learning rate will cause `mu` to be updated more quickly, while a smaller learning rate will result in slower updates.
 @param m The number of tokens considered in the estimation of `s_hat`. This is an arbitrary value that is used to calculate `s_hat`, which in turn helps to calculate the value of `k`. In the paper, they use `m = 100`, but you can experiment with different values to see how it affects the performance of the algorithm.
 @param mu Maximum cross-entropy. This value is initialized to be twice the target cross-entropy (`2 * tau`) and is updated in the algorithm based on the error between the target and observed surprisal.*/
    pub fn llama_sampler_init_mirostat(
        n_vocab: i32,
        seed: u32,
        tau: f32,
        eta: f32,
        m: i32,
    ) -> *mut llama_sampler;
    /** @details Mirostat 2.0 algorithm described in the paper https://arxiv.org/abs/2007.14966. Uses tokens instead of words.
 @param candidates A vector of `llama_token_data` containing the candidate tokens, their probabilities (p), and log-odds (logit) for the current position in the generated text.
 @param tau  The target cross-entropy (or surprise) value you want to achieve for the generated text. A higher value corresponds to more surprising or less predictable text, while a lower value corresponds to less surprising or more predictable text.
 @param eta The learning rate used to update `mu` based on the error between the target and observed surprisal of the sampled word. A larger learning rate will cause `mu` to be updated more quickly, while a smaller learning rate will result in slower updates.
 @param mu Maximum cross-entropy. This value is initialized to be twice the target cross-entropy (`2 * tau`) and is updated in the algorithm based on the error between the target and observed surprisal.*/
    pub fn llama_sampler_init_mirostat_v2(
        seed: u32,
        tau: f32,
        eta: f32,
    ) -> *mut llama_sampler;
    /** @details Initializes a GBNF grammar, see grammars/README.md for details.
 @param vocab The vocabulary that this grammar will be used with.
 @param grammar_str The production rules for the grammar, encoded as a string. Returns an empty grammar if empty. Returns NULL if parsing of grammar_str fails.
 @param grammar_root The name of the start symbol for the grammar.*/
    pub fn llama_sampler_init_grammar(
        vocab: *const llama_vocab,
        grammar_str: *const ::core::ffi::c_char,
        grammar_root: *const ::core::ffi::c_char,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_init_grammar_lazy(
        vocab: *const llama_vocab,
        grammar_str: *const ::core::ffi::c_char,
        grammar_root: *const ::core::ffi::c_char,
        trigger_words: *mut *const ::core::ffi::c_char,
        num_trigger_words: usize,
        trigger_tokens: *const llama_token,
        num_trigger_tokens: usize,
    ) -> *mut llama_sampler;
    /** @details Lazy grammar sampler, introduced in https://github.com/ggml-org/llama.cpp/pull/9639
 @param trigger_patterns A list of patterns that will trigger the grammar sampler. Pattern will be matched from the start of the generation output, and grammar sampler will be fed content starting from its first match group.
 @param trigger_tokens A list of tokens that will trigger the grammar sampler. Grammar sampler will be fed content starting from the trigger token included.*/
    pub fn llama_sampler_init_grammar_lazy_patterns(
        vocab: *const llama_vocab,
        grammar_str: *const ::core::ffi::c_char,
        grammar_root: *const ::core::ffi::c_char,
        trigger_patterns: *mut *const ::core::ffi::c_char,
        num_trigger_patterns: usize,
        trigger_tokens: *const llama_token,
        num_trigger_tokens: usize,
    ) -> *mut llama_sampler;
    /// NOTE: Avoid using on the full vocabulary as searching for repeated tokens can become slow. For example, apply top-k or top-p sampling first.
    pub fn llama_sampler_init_penalties(
        n_vocab: i32,
        penalty_last_n: i32,
        penalty_repeat: f32,
        penalty_freq: f32,
        penalty_present: f32,
    ) -> *mut llama_sampler;
    ///  @details DRY sampler, designed by p-e-w, as described in: https://github.com/oobabooga/text-generation-webui/pull/5677, porting Koboldcpp implementation authored by pi6am: https://github.com/LostRuins/koboldcpp/pull/982
    pub fn llama_sampler_init_dry(
        vocab: *const llama_vocab,
        dry_multiplier: f32,
        dry_base: f32,
        dry_allowed_length: i32,
        dry_penalty_last_n: i32,
        seq_breakers: *mut *const ::core::ffi::c_char,
        num_breakers: usize,
    ) -> *mut llama_sampler;
    /** adaptive-p: select tokens near a configurable target probability over time.

 the adaptive-p sampler transforms the token probability distribution to favor tokens
 that fall near a user-configurable probability target.

 internally, the sampler maintains an exponential moving average of the *ORIGINAL*
 probabilities of selected tokens at each sampling step. it uses this EMA to compute an
 adapted target probability at each sampling step, thus maintaining the desired target
 probability over time.

 adaptive-p selects a token ID rather than just mutating candidates, so it must be last
 in the sampler chain (like mirostat, dist, greedy).

 only mild truncation before this sampler is recommended. we suggest applying min-p
 before adaptive-p as the only other active sampler in the chain.

 @param target select tokens near this probability (valid range 0.0 to 1.0; negative = disabled)
 @param decay  EMA decay for adaptation; history ≈ 1/(1-decay) tokens (valid range 0.0 - 0.99)
 @param seed   RNG seed

 ref: https://github.com/ggml-org/llama.cpp/pull/17927
*/
    pub fn llama_sampler_init_adaptive_p(
        target: f32,
        decay: f32,
        seed: u32,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_init_logit_bias(
        n_vocab: i32,
        n_logit_bias: i32,
        logit_bias: *const llama_logit_bias,
    ) -> *mut llama_sampler;
    pub fn llama_sampler_init_infill(vocab: *const llama_vocab) -> *mut llama_sampler;
    pub fn llama_sampler_get_seed(smpl: *const llama_sampler) -> u32;
    pub fn llama_sampler_sample(
        smpl: *mut llama_sampler,
        ctx: *mut llama_context,
        idx: i32,
    ) -> llama_token;
    /** @details Build a split GGUF final path for this chunk.
          llama_split_path(split_path, sizeof(split_path), "/models/ggml-model-q4_0", 2, 4) => split_path = "/models/ggml-model-q4_0-00002-of-00004.gguf"*/
    pub fn llama_split_path(
        split_path: *mut ::core::ffi::c_char,
        maxlen: usize,
        path_prefix: *const ::core::ffi::c_char,
        split_no: i32,
        split_count: i32,
    ) -> i32;
    /** @details Extract the path prefix from the split_path if and only if the split_no and split_count match.
          llama_split_prefix(split_prefix, 64, "/models/ggml-model-q4_0-00002-of-00004.gguf", 2, 4) => split_prefix = "/models/ggml-model-q4_0"*/
    pub fn llama_split_prefix(
        split_prefix: *mut ::core::ffi::c_char,
        maxlen: usize,
        split_path: *const ::core::ffi::c_char,
        split_no: i32,
        split_count: i32,
    ) -> i32;
    pub fn llama_print_system_info() -> *const ::core::ffi::c_char;
    pub fn llama_log_get(
        log_callback: *mut ggml_log_callback,
        user_data: *mut *mut ::core::ffi::c_void,
    );
    pub fn llama_log_set(
        log_callback: ggml_log_callback,
        user_data: *mut ::core::ffi::c_void,
    );
    pub fn llama_perf_context(ctx: *const llama_context) -> llama_perf_context_data;
    pub fn llama_perf_context_print(ctx: *const llama_context);
    pub fn llama_perf_context_reset(ctx: *mut llama_context);
    pub fn llama_perf_sampler(chain: *const llama_sampler) -> llama_perf_sampler_data;
    pub fn llama_perf_sampler_print(chain: *const llama_sampler);
    pub fn llama_perf_sampler_reset(chain: *mut llama_sampler);
    pub fn llama_opt_param_filter_all(
        tensor: *const ggml_tensor,
        userdata: *mut ::core::ffi::c_void,
    ) -> bool;
    pub fn llama_opt_init(
        lctx: *mut llama_context,
        model: *mut llama_model,
        lopt_params: llama_opt_params,
    );
    pub fn llama_opt_epoch(
        lctx: *mut llama_context,
        dataset: ggml_opt_dataset_t,
        result_train: ggml_opt_result_t,
        result_eval: ggml_opt_result_t,
        idata_split: i64,
        callback_train: ggml_opt_epoch_callback,
        callback_eval: ggml_opt_epoch_callback,
    );
}
