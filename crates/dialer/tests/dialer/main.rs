//! The dialer through its public face: pure, so nothing here waits for a clock.

mod aside;
mod due;
mod hours;
mod judged;
mod leads;
mod manual;
mod numbers;
mod pace;
mod standstill;
mod storm;
mod world;
