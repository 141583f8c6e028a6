//! Conversions between what the table works with and its frozen image, and the macro that writes them.

#[cfg(test)]
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use strowger_model::{
    AgentId, CallId, CampaignId, Cause, Digest, E164, EndpointId, FlowId, Incarnation, Instance, KeyId, LeadId, LegNo,
    LogTime, NodeId, PlaceId, QueueId, RelayId, ShardId, TenantId, TrunkId, Wall,
};

use crate::row::kept::Kept;

/// The frozen image of a `Live` value: what its bytes are made of.
pub(crate) trait Frozen<Live>: Sized {
    fn freeze(live: &Live) -> Self;
    fn thaw(self) -> Live;
}

/// Frozen images with their conversions, one `struct` or `enum` each, and `text`, which writes all of them down:
/// `struct LegV1 = Leg { key: LegKeyV1, role: RoleV1 }`, `enum RoleV1 = Role { Customer, Agent(agent: AgentId, slot: u8) }`.
///
/// Every field and variant is named on both sides, without `..` and without a wildcard: a field or variant that is added
/// to the live type does not compile until somebody has decided what older layouts make of it. That is said in `later`:
/// a field has its default when it is read, and must have it when it is written; a variant must not come up before its
/// layout is in force.
macro_rules! frozen {
    (@types [$($done:ident)*]) => {
        /// The images of this file, field by field.
        #[cfg(test)]
        pub(crate) fn text(out: &mut String) {
            $(<$done as $crate::layout::frozen::Described>::describe(out);)*
        }
    };
    (@types [$($done:ident)*]
        struct $image:ident = $live:ty {
            $($field:ident : $kind:ty),* $(,)?
            $(; later $($(#[$on:meta])* $later:ident),* $(,)?)?
        }
        $($rest:tt)*
    ) => {
        #[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        pub(crate) struct $image { $(pub $field: $kind),* }

        impl $crate::layout::frozen::Frozen<$live> for $image {
            fn freeze(live: &$live) -> Self {
                type Live = $live;
                let Live { $($field,)* $($($(#[$on])* $later,)*)? } = live;
                $($($(#[$on])* debug_assert!($crate::layout::later::is_unused($later), "changed before its layout is in force");)*)?
                Self { $($field: <$kind as $crate::layout::frozen::Frozen<_>>::freeze($field)),* }
            }

            fn thaw(self) -> $live {
                type Live = $live;
                Live {
                    $($field: <$kind as $crate::layout::frozen::Frozen<_>>::thaw(self.$field),)*
                    $($($(#[$on])* $later: Default::default(),)*)?
                }
            }
        }

        #[cfg(test)]
        impl $crate::layout::frozen::Described for $image {
            fn describe(out: &mut String) {
                $crate::layout::frozen::describe(
                    out,
                    stringify!($image),
                    &[$(concat!(stringify!($field), ": ", stringify!($kind))),*],
                );
            }
        }

        $crate::layout::frozen::frozen! { @types [$($done)* $image] $($rest)* }
    };
    (@types [$($done:ident)*]
        enum $image:ident = $live:ty {
            $($variant:ident $(( $($part:ident : $part_kind:ty),* $(,)? ))? $({ $($field:ident : $kind:ty),* $(,)? })?),*
            $(,)? $(; later $($(#[$on:meta])* $later:ident),* $(,)?)?
        }
        $($rest:tt)*
    ) => {
        #[derive(Clone, PartialEq, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
        pub(crate) enum $image {
            $($variant $(( $($part_kind),* ))? $({ $($field: $kind),* })?),*
        }

        impl $crate::layout::frozen::Frozen<$live> for $image {
            fn freeze(live: &$live) -> Self {
                type Live = $live;
                match live {
                    $(Live::$variant $(( $($part),* ))? $({ $($field),* })? => $image::$variant
                        $(( $(<$part_kind as $crate::layout::frozen::Frozen<_>>::freeze($part)),* ))?
                        $({ $($field: <$kind as $crate::layout::frozen::Frozen<_>>::freeze($field)),* })?,)*
                    $($($(#[$on])* Live::$later { .. } => unreachable!("said before its layout is in force"),)*)?
                }
            }

            fn thaw(self) -> $live {
                type Live = $live;
                match self {
                    $($image::$variant $(( $($part),* ))? $({ $($field),* })? => Live::$variant
                        $(( $(<$part_kind as $crate::layout::frozen::Frozen<_>>::thaw($part)),* ))?
                        $({ $($field: <$kind as $crate::layout::frozen::Frozen<_>>::thaw($field)),* })?),*
                }
            }
        }

        #[cfg(test)]
        impl $crate::layout::frozen::Described for $image {
            fn describe(out: &mut String) {
                $crate::layout::frozen::describe(
                    out,
                    concat!("enum ", stringify!($image)),
                    &[$(concat!(
                        stringify!($variant)
                        $(, "(", $(stringify!($part_kind), ", ",)* ")")?
                        $(, " { ", $(stringify!($field), ": ", stringify!($kind), ", ",)* "}")?
                    )),*],
                );
            }
        }

        $crate::layout::frozen::frozen! { @types [$($done)* $image] $($rest)* }
    };
    ($($types:tt)*) => {
        $crate::layout::frozen::frozen! { @types [] $($types)* }
    };
}
pub(crate) use frozen;

/// Writes its own layout down, for the text that freezes it.
#[cfg(test)]
pub(crate) trait Described {
    fn describe(out: &mut String);
}

#[cfg(test)]
pub(crate) fn describe(out: &mut String, name: &str, members: &[&str]) {
    writeln!(out, "{name}").expect("a string takes everything");
    for member in members {
        writeln!(out, "    {}", member.replace(", )", ")").replace(", }", " }")).expect("a string takes everything");
    }
}

/// Types that are their own image.
macro_rules! unchanging {
    ($($name:ty),* $(,)?) => {
        $(
            impl Frozen<$name> for $name {
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

/// Names made of one word are their own image too, as long as they are made of that word.
macro_rules! names {
    ($($name:ident = $word:ty: $made_of:expr),* $(,)?) => {
        unchanging!($($name),*);
        $(const _: fn($name) -> $word = $made_of;)*

        /// The names, and what each is made of.
        #[cfg(test)]
        pub(super) fn names(out: &mut String) {
            $(writeln!(out, "{} = {}", stringify!($name), stringify!($word)).expect("a string takes everything");)*
        }
    };
}

unchanging!(bool, u8, u16, u32, u64, i64, char, String, [u8; 32], IpAddr, SocketAddr);
names! {
    NodeId = u16: |name| name.0,
    RelayId = u16: |name| name.0,
    ShardId = u16: |name| name.0,
    TenantId = u32: |name| name.0,
    QueueId = u32: |name| name.0,
    AgentId = u32: |name| name.0,
    FlowId = u32: |name| name.0,
    TrunkId = u32: |name| name.0,
    CampaignId = u32: |name| name.0,
    KeyId = u32: |name| name.0,
    EndpointId = u32: |name| name.0,
    Incarnation = u64: |name| name.0,
    LegNo = u16: |name| name.0,
    Instance = u64: |name| name.0,
    CallId = u64: |name| name.0,
    PlaceId = u64: |name| name.0,
    LeadId = u64: |name| name.0,
    LogTime = u64: |name| name.0,
    Wall = u64: |name| name.0,
    Cause = u8: |name| name.0,
    Digest = [u8; 32]: |name| name.0,
    E164 = u64: |number| number.digits(),
}

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
impl<Live, Image: Frozen<Live>> Frozen<Arc<Live>> for Image {
    fn freeze(live: &Arc<Live>) -> Self {
        Image::freeze(&**live)
    }

    fn thaw(self) -> Arc<Live> {
        Arc::new(<Self as Frozen<Live>>::thaw(self))
    }
}

impl<Live: std::hash::Hash, Image: Frozen<Live>> Frozen<Kept<Live>> for Image {
    fn freeze(live: &Kept<Live>) -> Self {
        Image::freeze(&**live)
    }

    fn thaw(self) -> Kept<Live> {
        Kept::new(<Self as Frozen<Live>>::thaw(self))
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
        note: u32,
    }

    #[derive(Clone, PartialEq, Debug)]
    enum Role {
        Customer,
        Agent(u32, u8),
        Step { at: u64 },
    }

    frozen! {
        struct LegV1 = Leg { no: u16, role: RoleV1, relays: Vec<Option<u16>>, origin: String; later note }
        enum RoleV1 = Role { Customer, Agent(agent: u32, slot: u8); later Step }
    }

    mod second {
        use super::{Leg, Role};

        frozen! {
            struct LegV2 = Leg { no: u16, role: RoleV2, relays: Vec<Option<u16>>, origin: String, note: u32 }
            enum RoleV2 = Role { Customer, Agent(agent: u32, slot: u8), Step { at: u64 } }
        }
    }

    fn leg(role: Role, note: u32) -> Leg {
        Leg { no: 3, role, relays: vec![None, Some(2)], origin: Arc::new("trunk".to_owned()), note }
    }

    #[test]
    fn what_is_frozen_and_thawed_is_the_same() {
        for role in [Role::Customer, Role::Agent(7, 1)] {
            let image = <LegV1 as Frozen<Leg>>::freeze(&leg(role.clone(), 0));
            let bytes = rkyv::to_bytes::<rkyv::rancor::Error>(&image).unwrap();
            let read: LegV1 = rkyv::from_bytes::<_, rkyv::rancor::Error>(&bytes).unwrap();
            let thawed: Leg = read.thaw();
            assert_eq!(thawed, leg(role, 0));
        }
        let later = leg(Role::Step { at: 9 }, 8);
        let thawed: Leg = <second::LegV2 as Frozen<Leg>>::freeze(&later).thaw();
        assert_eq!(thawed, later);
    }

    #[test]
    #[should_panic(expected = "before its layout is in force")]
    fn a_later_variant_is_not_written_in_an_older_layout() {
        let _image = <LegV1 as Frozen<Leg>>::freeze(&leg(Role::Step { at: 9 }, 0));
    }

    #[test]
    fn a_layout_is_written_down_field_by_field() {
        let (mut first, mut then) = (String::new(), String::new());
        text(&mut first);
        second::text(&mut then);
        assert_eq!(
            first,
            "LegV1\n    no: u16\n    role: RoleV1\n    relays: Vec<Option<u16>>\n    origin: String\n\
             enum RoleV1\n    Customer\n    Agent(u32, u8)\n"
        );
        assert!(
            then.ends_with("    note: u32\nenum RoleV2\n    Customer\n    Agent(u32, u8)\n    Step { at: u64 }\n"),
            "{then}"
        );
    }
}
