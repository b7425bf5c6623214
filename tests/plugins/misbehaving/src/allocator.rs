//! An allocator that cannot be mistaken for any other: memory that crosses the boundary and is freed on the other side
//! ends the process.

#![expect(unsafe_code, reason = "an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};

/// Every block begins this far behind what the system gave.
const SHIFT: usize = 64;

struct Shifted;

fn shifted(layout: Layout) -> Layout {
    // Alignments above the shift do not occur in this plugin; a block of the system's is as good then.
    Layout::from_size_align(layout.size() + SHIFT, layout.align().max(16)).unwrap_or(layout)
}

// SAFETY: every block is one of the system's, entered at a fixed distance and left at the same.
unsafe impl GlobalAlloc for Shifted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() > SHIFT {
            // SAFETY: as the caller vouches.
            return unsafe { System.alloc(layout) };
        }
        // SAFETY: the layout is not empty; the shift stays within the block.
        unsafe {
            let block = System.alloc(shifted(layout));
            if block.is_null() {
                block
            } else {
                block.add(SHIFT)
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.align() > SHIFT {
            // SAFETY: as the caller vouches.
            return unsafe { System.dealloc(block, layout) };
        }
        // SAFETY: the block came from `alloc`, at that distance, with that layout.
        unsafe {
            // Whoever reads it later reads nonsense.
            block.write_bytes(0xDD, layout.size());
            System.dealloc(block.sub(SHIFT), shifted(layout));
        }
    }
}

#[global_allocator]
static ALLOCATOR: Shifted = Shifted;
