// SPDX-License-Identifier: MIT OR Apache-2.0
// What the oracle is asked about: generics, traits, closures, iterators, panics.
use std::collections::HashMap;

trait Area {
    fn area(&self) -> f64;
}
struct Square(f64);
struct Disc(f64);
impl Area for Square {
    fn area(&self) -> f64 {
        self.0 * self.0
    }
}
impl Area for Disc {
    fn area(&self) -> f64 {
        3.14159 * self.0 * self.0
    }
}

fn sum<T: Area + ?Sized, F: Fn(&T) -> f64>(all: &[Box<T>], f: F) -> f64 {
    all.iter().map(|s| f(s)).sum()
}

fn main() {
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut all: Vec<Box<dyn Area>> = Vec::new();
    for i in 0..300u32 {
        if i % 2 == 0 {
            all.push(Box::new(Square(i as f64)));
        } else {
            all.push(Box::new(Disc(i as f64)));
        }
        *counts.entry(format!("k{}", i % 7)).or_insert(0) += i;
    }
    let mut keys: Vec<_> = counts.into_iter().collect();
    keys.sort_by(|a, b| b.1.cmp(&a.1));
    println!("{:?} {}", keys, sum(&all, |s| s.area() + 1.0));
}
