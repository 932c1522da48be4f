//! Networks in CIDR notation.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Of IPv4.
    V4 {
        /// The first address of the network.
        base: Ipv4Addr,
        /// All ones in front, as many as the prefix is long.
        mask: u32,
    },
    /// Of IPv6, those aside that stand for IPv4's.
    V6 {
        /// The first address of the network.
        base: Ipv6Addr,
        /// All ones in front, as many as the prefix is long.
        mask: u128,
    },
}

impl Network {
    /// The network of `address` whose addresses have the first `prefix` bits in common; `None` where there are not so
    /// many. Addresses of IPv6 that stand for IPv4's (`::ffff:0:0/96`) make a network of IPv4.
    #[must_use]
    pub const fn new(address: IpAddr, prefix: u32) -> Option<Self> {
        match address {
            IpAddr::V4(address) if prefix <= 32 => {
                let mask = match u32::MAX.checked_shl(32 - prefix) {
                    Some(mask) => mask,
                    None => 0,
                };
                Some(Self::V4 { base: Ipv4Addr::from_bits(address.to_bits() & mask), mask })
            }
            IpAddr::V6(address) if prefix <= 128 => {
                if let (Some(address), 96..) = (address.to_ipv4_mapped(), prefix) {
                    return Self::new(IpAddr::V4(address), prefix - 96);
                }
                let mask = match u128::MAX.checked_shl(128 - prefix) {
                    Some(mask) => mask,
                    None => 0,
                };
                Some(Self::V6 { base: Ipv6Addr::from_bits(address.to_bits() & mask), mask })
            }
            _ => None,
        }
    }

    /// Whether `address`, as it stands, is one of the network's.
    #[must_use]
    pub const fn contains(&self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4 { base, mask }, IpAddr::V4(address)) => address.to_bits() & *mask == base.to_bits(),
            (Self::V6 { base, mask }, IpAddr::V6(address)) => address.to_bits() & *mask == base.to_bits(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(address: &str, prefix: u32) -> Network {
        Network::new(address.parse().expect("an address"), prefix).expect("a prefix that fits")
    }

    fn has(network: Network, address: &str) -> bool {
        network.contains(address.parse().expect("an address"))
    }

    /// The addresses' bits as text: the slow way to compare prefixes.
    fn bits(address: IpAddr) -> String {
        match address {
            IpAddr::V4(address) => format!("{:032b}", address.to_bits()),
            IpAddr::V6(address) => format!("{:0128b}", address.to_bits()),
        }
    }

    #[test]
    fn every_prefix_is_compared_bit_by_bit() {
        for (address, size) in [("10.171.205.239", 32), ("2001:db8:7bcd:ef01:2345:6789:abcd:ef99", 128)] {
            let address: IpAddr = address.parse().expect("an address");
            for prefix in 0..=size {
                let network = Network::new(address, prefix).expect("it fits");
                for flipped in 0..size {
                    let other = match address {
                        IpAddr::V4(it) => IpAddr::V4(Ipv4Addr::from_bits(it.to_bits() ^ (1 << flipped))),
                        IpAddr::V6(it) => IpAddr::V6(Ipv6Addr::from_bits(it.to_bits() ^ (1 << flipped))),
                    };
                    let same = bits(address)[..prefix as usize] == bits(other)[..prefix as usize];
                    assert_eq!(network.contains(other), same, "{address}/{prefix} and {other}");
                }
                assert!(network.contains(address));
            }
            assert_eq!(Network::new(address, size + 1), None);
        }
    }

    #[test]
    fn the_families_are_apart() {
        assert!(!has(network("0.0.0.0", 0), "::1"));
        assert!(!has(network("::", 0), "10.0.0.1"));
    }

    #[test]
    fn a_mapped_network_is_one_of_ipv4() {
        assert_eq!(network("::ffff:10.0.0.0", 104), network("10.0.0.0", 8));
        assert_eq!(network("::ffff:10.1.2.3", 128), network("10.1.2.3", 32));
        assert_eq!(network("::ffff:0:0", 96), network("0.0.0.0", 0));
        assert!(matches!(network("::ffff:10.0.0.0", 95), Network::V6 { .. }));
    }
}
