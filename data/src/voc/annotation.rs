//! One annotation file.

use metricopt_sdk::{Error, Result};
use roxmltree::{Document, Node};

/// What an annotation says of an image.
#[derive(Debug, PartialEq)]
pub(super) struct Annotation {
    /// Width and height, where it says so.
    pub(super) size: Option<[usize; 2]>,
    pub(super) objects: Vec<Labelled>,
}

/// An object with the name of its class.
#[derive(Debug, PartialEq)]
pub(super) struct Labelled {
    pub(super) name: String,
    /// First and last pixel, counted from 1.
    pub(super) pixels: [f32; 4],
    pub(super) difficult: bool,
    pub(super) truncated: bool,
}

impl Annotation {
    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// If it is no XML, or an object lacks its name or a corner, or has a corner that is no number.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let document = Document::parse(text).map_err(|error| Error::data(format!("{error}")))?;
        let root = document.root_element();
        if !root.has_tag_name("annotation") {
            return Err(Error::data(format!(
                "begins with <{}> instead of <annotation>",
                root.tag_name().name()
            )));
        }
        let objects: Result<Vec<Labelled>> = children(root, "object")
            .enumerate()
            .map(|(index, node)| {
                Labelled::parse(node)
                    .map_err(|error| error.context(format!("object {}", index + 1)))
            })
            .collect();
        let size = children(root, "size").next().and_then(|size| {
            let side = |name| number(size, name).ok().filter(|side| *side >= 1.0);
            Some([side("width")? as usize, side("height")? as usize])
        });
        Ok(Self {
            size,
            objects: objects?,
        })
    }
}

impl Labelled {
    fn parse(node: Node<'_, '_>) -> Result<Self> {
        let name = text(node, "name")?.to_owned();
        let corners = children(node, "bndbox")
            .next()
            .ok_or_else(|| Error::data("has no <bndbox>"))?;
        let corner = |name| number(corners, name);
        // The flags were added to the format later, and many tools leave them out.
        let flag = |name| text(node, name).is_ok_and(|text| text == "1");
        Ok(Self {
            name,
            pixels: [
                corner("xmin")?,
                corner("ymin")?,
                corner("xmax")?,
                corner("ymax")?,
            ],
            difficult: flag("difficult"),
            truncated: flag("truncated"),
        })
    }

    /// What is wrong with its box on an image of this width and height; tools that count pixels from 0 are put up with.
    pub(super) fn complaint(&self, [width, height]: [usize; 2]) -> Option<&'static str> {
        let [x1, y1, x2, y2] = self.pixels;
        if x2 <= x1 || y2 <= y1 {
            return Some("has no area");
        }
        let inside = x1 >= 0.0 && y1 >= 0.0 && x2 <= width as f32 && y2 <= height as f32;
        (!inside).then_some("reaches beyond its image")
    }
}

fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}

fn text<'a>(node: Node<'a, '_>, name: &'static str) -> Result<&'a str> {
    let text = children(node, name).next().and_then(|child| child.text());
    text.map(str::trim)
        .filter(|text| !text.is_empty())
        .ok_or_else(|| Error::data(format!("has no <{name}>")))
}

fn number(node: Node<'_, '_>, name: &'static str) -> Result<f32> {
    let text = text(node, name)?;
    let number = text.parse().ok().filter(|number: &f32| number.is_finite());
    number.ok_or_else(|| Error::data(format!("<{name}> is `{text}`, which is no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(inner: &str) -> Result<Annotation> {
        Annotation::parse(&format!(
            "<annotation><object>{inner}</object></annotation>"
        ))
    }

    #[test]
    fn an_object_is_read_with_its_flags() {
        let found = object(
            "<name> cat </name><difficult>1</difficult><bndbox><xmax>30.5</xmax><xmin>2</xmin>\
             <ymin>3</ymin><ymax>40</ymax></bndbox><part><name>head</name></part>",
        )
        .unwrap();
        let expected = Labelled {
            name: "cat".to_owned(),
            pixels: [2.0, 3.0, 30.5, 40.0],
            difficult: true,
            truncated: false,
        };
        assert_eq!(found.objects, [expected]);
        assert_eq!(found.size, None);
    }

    #[test]
    fn what_is_missing_is_named() {
        for (inner, expected) in [
            ("", "object 1: has no <name>"),
            ("<name>a</name>", "object 1: has no <bndbox>"),
            ("<name>a</name><bndbox/>", "object 1: has no <xmin>"),
            (
                "<name>a</name><bndbox><xmin>inf</xmin></bndbox>",
                "`inf`, which is no number",
            ),
        ] {
            let error = object(inner).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        for text in [
            "",
            "<annotation>",
            "<a/>",
            "<!DOCTYPE a [<!ENTITY b \"&b;&b;\">]><annotation>&b;</annotation>",
        ] {
            assert!(Annotation::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn boxes_are_held_to_their_image() {
        let boxed = |pixels| Labelled {
            name: String::new(),
            pixels,
            difficult: false,
            truncated: false,
        };
        assert_eq!(boxed([0.0, 1.0, 20.0, 10.0]).complaint([20, 10]), None);
        let area = Some("has no area");
        assert_eq!(boxed([5.0, 1.0, 5.0, 10.0]).complaint([20, 10]), area);
        assert_eq!(boxed([5.0, 9.0, 6.0, 3.0]).complaint([20, 10]), area);
        let beyond = Some("reaches beyond its image");
        assert_eq!(boxed([1.0, 1.0, 21.0, 10.0]).complaint([20, 10]), beyond);
        assert_eq!(boxed([-1.0, 1.0, 20.0, 10.0]).complaint([20, 10]), beyond);
    }
}
