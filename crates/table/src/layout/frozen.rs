//! Conversions between what the table works with and its frozen image, and the macro that writes them.

use std::sync::Arc;

/// The frozen image of a `Live` value: what its bytes are made of.
pub(crate) trait Frozen<Live>: Sized {
    fn freeze(live: &Live) -> Self;
    fn thaw(self) -> Live;
}

/// Types whose layout never changes are their own image: integers, texts, and names made of one integer.
macro_rules! unchanging {
    ($($name:ty),* $(,)?) => {
        $(
            impl $crate::layout::frozen::Frozen<$name> for $name {
                fn freeze(live: &$name) -> Self {
                    live.clone()
                }

                fn thaw(self) -> $name {
                    self
                }
            }
        )*
    };
}
pub(crate) use unchanging;

/// Frozen images with their conversions, one `struct` or `enum` each:
/// `struct LegV1 = Leg { key: LegKey, role: RoleV1 }`, `enum RoleV1 = Role { Customer, Agent(agent: AgentId, slot: u8), Step }`.
///
/// Every field and variant is named on both sides, without `..` and without a wildcard: a field or variant that is added to
/// the live type does not compile until somebody has decided what older layouts make of it.
macro_rules! frozen {
    () => {};
    (
        $(#[$meta:meta])* struct $image:ident = $live:ty { $($field:ident : $kind:ty),* $(,)? }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        pub(crate) struct $image { $(pub $field: $kind),* }

        impl $crate::layout::frozen::Frozen<$live> for $image {
            fn freeze(live: &$live) -> Self {
                type Live = $live;
                let Live { $($field),* } = live;
                Self { $($field: <$kind as $crate::layout::frozen::Frozen<_>>::freeze($field)),* }
            }

            fn thaw(self) -> $live {
                type Live = $live;
                Live { $($field: <$kind as $crate::layout::frozen::Frozen<_>>::thaw(self.$field)),* }
            }
        }
        $crate::layout::frozen::frozen! { $($rest)* }
    };
    (
        $(#[$meta:meta])* enum $image:ident = $live:ident {
            $($variant:ident $(( $($part:ident : $part_kind:ty),* $(,)? ))? $({ $($field:ident : $kind:ty),* $(,)? })?),* $(,)?
        }
        $($rest:tt)*
    ) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        pub(crate) enum $image {
            $($variant $(( $($part_kind),* ))? $({ $($field: $kind),* })?),*
        }

        impl $crate::layout::frozen::Frozen<$live> for $image {
            fn freeze(live: &$live) -> Self {
                match live {
                    $($live::$variant $(( $($part),* ))? $({ $($field),* })? => $image::$variant
                        $(( $(<$part_kind as $crate::layout::frozen::Frozen<_>>::freeze($part)),* ))?
                        $({ $($field: <$kind as $crate::layout::frozen::Frozen<_>>::freeze($field)),* })?),*
                }
            }

            fn thaw(self) -> $live {
                match self {
                    $($image::$variant $(( $($part),* ))? $({ $($field),* })? => $live::$variant
                        $(( $(<$part_kind as $crate::layout::frozen::Frozen<_>>::thaw($part)),* ))?
                        $({ $($field: <$kind as $crate::layout::frozen::Frozen<_>>::thaw($field)),* })?),*
                }
            }
        }
        $crate::layout::frozen::frozen! { $($rest)* }
    };
}
pub(crate) use frozen;

unchanging!(bool, u8, u16, u32, u64, u128, i32, i64, char, String, [u8; 32]);

impl<Live, Image: Frozen<Live>> Frozen<Vec<Live>> for Vec<Image> {
    fn freeze(live: &Vec<Live>) -> Self {
        live.iter().map(Image::freeze).collect()
    }

    fn thaw(self) -> Vec<Live> {
        self.into_iter().map(Image::thaw).collect()
    }
}

impl<Live, Image: Frozen<Live>> Frozen<Option<Live>> for Option<Image> {
    fn freeze(live: &Option<Live>) -> Self {
        live.as_ref().map(Image::freeze)
    }

    fn thaw(self) -> Option<Live> {
        self.map(Image::thaw)
    }
}

impl<Live, Image: Frozen<Live>> Frozen<Box<Live>> for Box<Image> {
    fn freeze(live: &Box<Live>) -> Self {
        Box::new(Image::freeze(live))
    }

    fn thaw(self) -> Box<Live> {
        Box::new((*self).thaw())
    }
}

/// What is shared in memory is written out each time.
impl<Live, Image: Frozen<Live>> Frozen<Arc<Live>> for Box<Image> {
    fn freeze(live: &Arc<Live>) -> Self {
        Box::new(Image::freeze(live))
    }

    fn thaw(self) -> Arc<Live> {
        Arc::new((*self).thaw())
    }
}

macro_rules! tuples {
    ($($live:ident $image:ident $value:ident),*) => {
        impl<$($live, $image: Frozen<$live>),*> Frozen<($($live,)*)> for ($($image,)*) {
            fn freeze(($($value,)*): &($($live,)*)) -> Self {
                ($($image::freeze($value),)*)
            }

            fn thaw(self) -> ($($live,)*) {
                let ($($value,)*) = self;
                ($($value.thaw(),)*)
            }
        }
    };
}
tuples!(A FrozenA a, B FrozenB b);
tuples!(A FrozenA a, B FrozenB b, C FrozenC c);

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, PartialEq, Debug)]
    struct Leg {
        no: u16,
        role: Role,
        relays: Vec<Option<u16>>,
        origin: Arc<String>,
    }

    #[derive(Clone, PartialEq, Debug)]
    enum Role {
        Customer,
        Agent(u32, u8),
        Step { at: u64 },
    }

    frozen! {
        struct LegV1 = Leg { no: u16, role: RoleV1, relays: Vec<Option<u16>>, origin: Box<String> }
        enum RoleV1 = Role { Customer, Agent(agent: u32, slot: u8), Step { at: u64 } }
    }

    #[test]
    fn what_is_frozen_and_thawed_is_the_same() {
        for role in [Role::Customer, Role::Agent(7, 1), Role::Step { at: 9 }] {
            let leg = Leg { no: 3, role, relays: vec![None, Some(2)], origin: Arc::new("trunk".to_owned()) };
            let image = LegV1::freeze(&leg);
            let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&image).unwrap();
            let read: LegV1 = rkyv::from_bytes::<_, rkyv::rancor::Error>(&bytes).unwrap();
            assert_eq!(read.thaw(), leg);
        }
    }
}
