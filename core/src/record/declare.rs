//! How a record value and an enumeration in it are declared: two macros, used by every value file.
//!
//! One declaration gives the struct, its defaults, its bytes and its JSON, so that a field is written
//! down once. Fields are only ever appended and never change their kind; see [`field`](super::field).

/// Declares an enumeration that can be a field: one byte in the log, its name in JSON. A number that
/// is not in the table is refused when read.
#[macro_export]
macro_rules! field_enum {
    ($(#[$doc:meta])* $vis:vis enum $name:ident {
        $($(#[$vdoc:meta])* $variant:ident = $code:literal $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, PartialOrd, Ord)]
        #[repr(u8)]
        $vis enum $name { $($(#[$vdoc])* #[doc = $text] $variant = $code,)+ }

        impl $name {
            /// All members, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Camunda's name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// The member under `code`.
            #[must_use]
            pub const fn from_code(code: u8) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }

        impl $crate::record::field::Field for $name {
            fn put(&self, writer: &mut $crate::record::field::ValueWriter) {
                writer.fixed(&[*self as u8]);
            }
            fn take(
                reader: &mut $crate::record::field::ValueReader<'_>,
            ) -> Result<Option<Self>, $crate::record::field::DecodeError> {
                let Some([code]) = reader.fixed() else { return Ok(None) };
                Self::from_code(code).map(Some).ok_or(
                    $crate::record::field::DecodeError::new(concat!("unknown ", stringify!($name))),
                )
            }
            fn json(&self, out: &mut String) {
                $crate::json::write_string(self.name(), out);
            }
            fn shape() -> $crate::record::field::Shape {
                $crate::record::field::Shape::Text
            }
        }
    };
}

/// Declares a record value: its fields, their JSON names and defaults. A field whose
/// JSON name is empty is kept in the log but not shown to exporters.
#[macro_export]
macro_rules! record_value {
    ($(#[$doc:meta])* $vis:vis struct $name:ident {
        $($(#[$fdoc:meta])* $field:ident $json:literal : $type:ty $(= $default:expr)?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Debug)]
        $vis struct $name { $($(#[$fdoc])* pub $field: $type,)* }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $crate::record_value!(@default $type $(, $default)?),)* }
            }
        }

        impl $crate::record::field::ValueStruct for $name {
            fn put_fields(&self, writer: &mut $crate::record::field::ValueWriter) {
                $($crate::record::field::Field::put(&self.$field, writer);)*
            }
            fn take_fields(
                reader: &mut $crate::record::field::ValueReader<'_>,
            ) -> Result<Self, $crate::record::field::DecodeError> {
                Ok(Self {
                    $($field: match <$type as $crate::record::field::Field>::take(reader)? {
                        Some(field) => field,
                        None => $crate::record_value!(@default $type $(, $default)?),
                    },)*
                })
            }
            fn shapes() -> Vec<(&'static str, $crate::record::field::Shape)> {
                [$(($json, <$type as $crate::record::field::Field>::shape()),)*]
                    .into_iter()
                    .filter(|(name, _)| !name.is_empty())
                    .collect()
            }
            fn weight(&self) -> usize {
                4 $(+ $crate::record::field::Field::weight(&self.$field))*
            }
            fn json_fields(&self, out: &mut String) {
                out.push('{');
                $(if !$json.is_empty() {
                    if !out.ends_with('{') {
                        out.push(',');
                    }
                    out.push('"');
                    out.push_str($json);
                    out.push_str("\":");
                    $crate::record::field::Field::json(&self.$field, out);
                })*
                out.push('}');
            }
        }
    };
    (@default $type:ty) => { <$type>::default() };
    (@default $type:ty, $default:expr) => { $default };
}
