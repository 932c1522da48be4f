//! Memory that all workers share, those of older configurations too.

use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU64;

use nginx_sys::{
    ngx_int_t, ngx_module_t, ngx_pagesize, ngx_shared_memory_add, ngx_shm_zone_t, ngx_slab_calloc,
    ngx_slab_pool_t, ngx_str_t,
};

use super::conf::{Conf, ConfError};
use super::rc;

/// A zone of shared memory: words, all 0 when the zone is made. A reload keeps a zone whose name and size stay.
#[derive(Clone, Copy)]
pub(crate) struct SharedMemory(NonNull<ngx_shm_zone_t>);

impl SharedMemory {
    /// The least size that nginx can manage, in bytes.
    pub(crate) fn least() -> usize {
        // SAFETY: a plain integer that is set before a configuration is read.
        8 * unsafe { ngx_pagesize }
    }

    /// The zone `name` of `size` bytes, nginx's own part included, for the configuration that is being read.
    pub(crate) fn add(
        conf: Conf,
        module: *const ngx_module_t,
        name: ngx_str_t,
        size: usize,
    ) -> Result<Self, ConfError> {
        let mut name = name;
        // SAFETY: nginx copies the name, says what is wrong with it, and makes a zone that lives as long as the cycle.
        unsafe {
            let zone = ngx_shared_memory_add(conf.as_ptr(), &mut name, size, module.cast_mut().cast());
            let Some(found) = zone.as_mut() else { return Err(ConfError::Printed) };
            if found.init.is_some() {
                return Err(conf.refuse(format_args!("shared memory zone \"{name}\" is already in use")));
            }
            found.init = Some(init_zone);
            Ok(Self(NonNull::from(found)))
        }
    }

    /// The zone's words, once the configuration is in use. They are shared, and outlive the configuration.
    pub(crate) fn words(self) -> &'static [AtomicU64] {
        // SAFETY: `init_zone` made the memory, with the count of what follows in its first word. It is unmapped when no
        // worker of ours has a configuration with it any more.
        unsafe {
            let Some(first) = NonNull::new((*self.0.as_ptr()).data.cast::<u64>()) else { return &[] };
            let len = usize::try_from(*first.as_ptr()).unwrap_or(0);
            std::slice::from_raw_parts(first.as_ptr().add(1).cast::<AtomicU64>(), len)
        }
    }
}

unsafe extern "C" fn init_zone(zone: *mut ngx_shm_zone_t, before: *mut c_void) -> ngx_int_t {
    // SAFETY: nginx passes a zone with a slab pool in it, and what the same zone's data was in the cycle before.
    unsafe {
        if !before.is_null() {
            (*zone).data = before;
            return rc::OK;
        }
        let slab = (*zone).shm.addr.cast::<ngx_slab_pool_t>();
        let size = (*slab).pfree * ngx_pagesize;
        let words = ngx_slab_calloc(slab, size).cast::<u64>();
        if words.is_null() {
            return rc::ERROR;
        }
        *words = (size / size_of::<u64>() - 1) as u64;
        (*zone).data = words.cast();
        rc::OK
    }
}
