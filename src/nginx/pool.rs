//! Values that live as long as one of nginx's pools.

use std::any::TypeId;
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
        self.place_with(value, drop_in_pool::<T>)
    }

    /// `drop` is called with the value's place, as the pool goes.
    fn place_with<T>(self, value: T, drop: Cleanup) -> Option<NonNull<T>> {
        const { assert!(align_of::<T>() <= nginx_sys::NGX_ALIGNMENT) };
        // SAFETY: the pool is valid by the promise of `new`; its memory is aligned and large enough for a `T`, and
        // the cleanup that drops the value runs once, when nobody can have a pointer into the pool any more.
        unsafe {
            let cleanup = ngx_pool_cleanup_add(self.as_ptr(), 0).as_mut()?;
            let place = NonNull::new(ngx_palloc(self.as_ptr(), size_of::<T>()).cast::<T>())?;
            place.write(value);
            cleanup.data = place.as_ptr().cast();
            cleanup.handler = Some(drop);
            Some(place)
        }
    }

    /// As [`Pool::place`], for a value that is only read from here on: it lives as long as the pool.
    pub(crate) fn keep<'p, T>(self, value: T) -> Option<&'p T> {
        // SAFETY: `place` has written the value, and only the pool's end takes it away.
        self.place(value).map(|place| unsafe { place.as_ref() })
    }

    /// As [`Pool::keep`], for a value that [`Pool::find`] finds.
    pub(crate) fn keep_to_find<'p, T: 'static>(self, value: T) -> Option<&'p T> {
        let kept = Kept { type_id: TypeId::of::<T>(), value };
        // SAFETY: as in `keep`.
        self.place_with(kept, drop_kept::<T>).map(|place| unsafe { &place.as_ref().value })
    }

    /// The value that [`Pool::keep_to_find`] has kept, the last if there are several. An internal redirect, which
    /// takes a module's context away from a request, leaves the request's pool as it is.
    pub(crate) fn find<'p, T: 'static>(self) -> Option<&'p T> {
        // SAFETY: the pool is valid by the promise of `new`, and its cleanups with it. What has this handler was put
        // there by `keep_to_find`, for a `T` or (where the compiler made one function of two) a type that it tells.
        unsafe {
            let mut next = (*self.as_ptr()).cleanup.as_ref();
            while let Some(cleanup) = next {
                if cleanup.handler.is_some_and(|it| it as usize == drop_kept::<T> as Cleanup as usize)
                    && *cleanup.data.cast::<TypeId>() == TypeId::of::<T>()
                {
                    return cleanup.data.cast::<Kept<T>>().as_ref().map(|kept| &kept.value);
                }
                next = cleanup.next.as_ref();
            }
        }
        None
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

type Cleanup = unsafe extern "C" fn(*mut c_void);

/// What `keep_to_find` puts into a pool.
#[repr(C)]
struct Kept<T> {
    type_id: TypeId,
    value: T,
}

/// By its address a kept value is found: it must not be inlined into several copies.
#[inline(never)]
unsafe extern "C" fn drop_kept<T>(kept: *mut c_void) {
    // SAFETY: `keep_to_find` registered this cleanup with a pointer to a `Kept<T>` it had written.
    unsafe { kept.cast::<Kept<T>>().drop_in_place() };
}

unsafe extern "C" fn drop_in_pool<T>(value: *mut c_void) {
    // SAFETY: `place` registered this cleanup with a pointer to a `T` it had written.
    unsafe { value.cast::<T>().drop_in_place() };
}
