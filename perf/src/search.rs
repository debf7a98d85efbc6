use crate::drive::Error;
pub(crate) fn main<T>(_: &T) -> Result<(), Error> { Err("not built".into()) }
