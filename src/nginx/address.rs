//! Addresses of nginx's, as Rust knows them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nginx_sys::{sockaddr, sockaddr_in, sockaddr_in6, AF_INET, AF_INET6};

/// The IP address and port in `address`; `None` if it is of another family.
///
/// # Safety
///
/// `address` must be NULL or point to a socket address that is as long as its family says.
pub(super) unsafe fn read(address: *const sockaddr) -> Option<SocketAddr> {
    // SAFETY: by this function's promise.
    unsafe {
        match u32::from(address.as_ref()?.sa_family) {
            AF_INET => {
                let v4: &sockaddr_in = &*address.cast();
                let ip = Ipv4Addr::from_bits(u32::from_be(v4.sin_addr.s_addr));
                Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
            }
            AF_INET6 => {
                let v6: &sockaddr_in6 = &*address.cast();
                // Systems call its bytes by many names.
                let ip = Ipv6Addr::from((&raw const v6.sin6_addr).cast::<[u8; 16]>().read());
                Some(SocketAddr::new(IpAddr::V6(ip), u16::from_be(v6.sin6_port)))
            }
            _ => None,
        }
    }
}
