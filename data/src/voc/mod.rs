//! The layout of PASCAL VOC (Everingham et al., IJCV 2010): `Annotations/NAME.xml`, `ImageSets/Main/PART.txt` and
//! `JPEGImages/NAME.jpg`, in a folder or in a tar file.

mod annotation;
mod read;
mod tree;

pub(crate) use read::read;
