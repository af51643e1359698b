//! What a model takes of which memory, by llama.cpp's own planner.

pub mod planner;
