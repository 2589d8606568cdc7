//! Columns made from a list of nouns, one value each.

use uuid::Uuid;

use crate::store::dialect::Column;

pub(super) struct Of<'a, T>(pub(super) &'a [T]);

impl<'a, T> Of<'a, T> {
    pub(super) fn text(&self, of: impl Fn(&'a T) -> &'a str) -> Column<'a> {
        Column::Text(self.0.iter().map(|item| Some(of(item))).collect())
    }

    pub(super) fn text_or_null(&self, of: impl Fn(&'a T) -> Option<&'a str>) -> Column<'a> {
        Column::Text(self.0.iter().map(of).collect())
    }

    pub(super) fn bytes(&self, of: impl Fn(&'a T) -> Option<&'a [u8]>) -> Column<'a> {
        Column::Bytes(self.0.iter().map(of).collect())
    }

    pub(super) fn i16(&self, of: impl Fn(&'a T) -> i16) -> Column<'a> {
        Column::I16(self.0.iter().map(of).collect())
    }

    pub(super) fn i32(&self, of: impl Fn(&'a T) -> Option<i32>) -> Column<'a> {
        Column::I32(self.0.iter().map(of).collect())
    }

    pub(super) fn i64(&self, of: impl Fn(&'a T) -> Option<i64>) -> Column<'a> {
        Column::I64(self.0.iter().map(of).collect())
    }

    pub(super) fn bool(&self, of: impl Fn(&'a T) -> bool) -> Column<'a> {
        Column::Bool(self.0.iter().map(of).collect())
    }

    pub(super) fn uuid(&self, of: impl Fn(&'a T) -> Option<Uuid>) -> Column<'a> {
        Column::Uuid(self.0.iter().map(of).collect())
    }
}
