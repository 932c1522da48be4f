//! Values that live as long as one of nginx's pools.

use std::ffi::c_void;
use std::ptr::NonNull;

use nginx_sys::{ngx_palloc, ngx_pcalloc, ngx_pool_cleanup_add, ngx_pool_t};

/// A memory pool of nginx's.
#[derive(Clone, Copy)]
pub(crate) struct Pool(NonNull<ngx_pool_t>);

impl Pool {
    /// # Safety
    ///
    /// `pool` must be valid for as long as the value is used.
    pub(crate) unsafe fn new(pool: NonNull<ngx_pool_t>) -> Self {
        Self(pool)
    }

    pub(crate) fn as_ptr(self) -> *mut ngx_pool_t {
        self.0.as_ptr()
    }

    /// Moves `value` into the pool, which drops it with itself. `None` when memory is out.
    pub(crate) fn place<T>(self, value: T) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= nginx_sys::NGX_ALIGNMENT) };
        // SAFETY: the pool is valid by the promise of `new`; its memory is aligned and large enough for a `T`, and
        // the cleanup that drops the value runs once, when nobody can have a pointer into the pool any more.
        unsafe {
            let cleanup = ngx_pool_cleanup_add(self.as_ptr(), 0).as_mut()?;
            let place = NonNull::new(ngx_palloc(self.as_ptr(), size_of::<T>()).cast::<T>())?;
            place.write(value);
            cleanup.data = place.as_ptr().cast();
            cleanup.handler = Some(drop_in_pool::<T>);
            Some(place)
        }
    }

    /// As [`Pool::place`], for a value that is only read from here on: it lives as long as the pool.
    pub(crate) fn keep<'p, T>(self, value: T) -> Option<&'p T> {
        // SAFETY: `place` has written the value, and only the pool's end takes it away.
        self.place(value).map(|place| unsafe { place.as_ref() })
    }

    /// Memory for a structure of nginx's, all zero.
    ///
    /// # Safety
    ///
    /// All zero must be a valid `T`.
    pub(crate) unsafe fn zeroed<T>(self) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= nginx_sys::NGX_ALIGNMENT) };
        // SAFETY: the pool is valid by the promise of `new`.
        NonNull::new(unsafe { ngx_pcalloc(self.as_ptr(), size_of::<T>()) }.cast())
    }

    /// A copy of `bytes` that lives as long as the pool.
    pub(crate) fn copy<'p>(self, bytes: &[u8]) -> Option<&'p mut [u8]> {
        // SAFETY: the pool is valid by the promise of `new`, and the allocation is as long as the bytes.
        unsafe {
            let copy = NonNull::new(ngx_palloc(self.as_ptr(), bytes.len()).cast::<u8>())?;
            copy.copy_from_nonoverlapping(NonNull::from(bytes).cast(), bytes.len());
            Some(NonNull::slice_from_raw_parts(copy, bytes.len()).as_mut())
        }
    }
}

unsafe extern "C" fn drop_in_pool<T>(value: *mut c_void) {
    // SAFETY: `place` registered this cleanup with a pointer to a `T` it had written.
    unsafe { value.cast::<T>().drop_in_place() };
}
