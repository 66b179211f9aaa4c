// Reading the DOM past what a page has named its elements: the field <input name="attributes"> of a
// form hides the form's property of that name, in every world. Getters of the prototypes do not.
const reader = (type, name) => {
  const { get } = Object.getOwnPropertyDescriptor(type.prototype, name);
  return (object) => get.call(object);
};
const method = (type, name) => Function.prototype.call.bind(type.prototype[name]);

const nodeType = reader(Node, "nodeType");
const firstChild = reader(Node, "firstChild");
const nextSibling = reader(Node, "nextSibling");
const parentNode = reader(Node, "parentNode");
const isConnected = reader(Node, "isConnected");
const ownerDocument = reader(Node, "ownerDocument");
const textContent = reader(Node, "textContent");
const baseURI = reader(Node, "baseURI");
const rootOf = method(Node, "getRootNode");
const localName = reader(Element, "localName");
const namespaceURI = reader(Element, "namespaceURI");
const tagName = reader(Element, "tagName");
const openRoot = reader(Element, "shadowRoot");
const attributesOf = reader(Element, "attributes");
const attributeNames = method(Element, "getAttributeNames");
const attributeOf = method(Element, "getAttribute");
const hasAttribute = method(Element, "hasAttribute");
const matches = method(Element, "matches");
const boxOf = method(Element, "getBoundingClientRect");
const scrollLeftOf = reader(Element, "scrollLeft");
const scrollTopOf = reader(Element, "scrollTop");
const animate = method(Element, "animate");
const documentElement = reader(Document, "documentElement");
const bodyOf = reader(Document, "body");
const headOf = reader(Document, "head");
const windowOf = reader(Document, "defaultView");
const fontsOf = reader(Document, "fonts");
const titleOf = reader(Document, "title");
const urlOf = reader(Document, "URL");
const modeOf = reader(Document, "compatMode");
const scrollerOf = reader(Document, "scrollingElement");

const isDocument = (node) => nodeType(node) === Node.DOCUMENT_NODE;
const isElement = (node) => nodeType(node) === Node.ELEMENT_NODE;

// What a document and a shadow root have in common is a property of each of the two.
const inScope = (make) => {
  const ofDocument = make(Document);
  const ofRoot = make(ShadowRoot);
  return (scope, ...more) => (isDocument(scope) ? ofDocument : ofRoot)(scope, ...more);
};
const adoptedSheets = inScope((type) => reader(type, "adoptedStyleSheets"));
const styleSheets = inScope((type) => reader(type, "styleSheets"));
const activeElement = inScope((type) => reader(type, "activeElement"));
const animationsOf = inScope((type) => method(type, "getAnimations"));
const allIn = inScope((type) => method(type === ShadowRoot ? DocumentFragment : type, "querySelectorAll"));
const firstIn = inScope((type) => method(type === ShadowRoot ? DocumentFragment : type, "querySelector"));

const HTML = "http://www.w3.org/1999/xhtml";
const SVG = "http://www.w3.org/2000/svg";
const MATHML = "http://www.w3.org/1998/Math/MathML";
const isHtml = (element) => namespaceURI(element) === HTML;
const isFrame = (element) => isHtml(element) && ["iframe", "frame", "object", "embed"].includes(localName(element));

// An <embed> has no property for it; its window is among those of the document around it.
function embeddedDocument(embed) {
  const outer = windowOf(ownerDocument(embed));
  for (let index = 0; outer && index < outer.length; index++) {
    try {
      if (outer[index].frameElement === embed) return outer[index].document;
    } catch (foreign) {
      continue;
    }
  }
  return null;
}

// The document inside a frame, if it may be read.
function innerDocument(frame) {
  try {
    const inner = localName(frame) === "embed" ? embeddedDocument(frame) : frame.contentDocument;
    return inner && windowOf(inner) ? inner : null;
  } catch (foreign) {
    return null;
  }
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\u00a0": "&nbsp;", "\r": "&#13;" };
const escapeText = (text) =>
  /[&<>\u00a0\r]/.test(text) ? text.replace(/[&<>\u00a0\r]/g, (c) => ENTITIES[c]) : text;
const escapeAttribute = (text) =>
  /[&<>"\u00a0\r]/.test(text) ? text.replace(/[&<>"\u00a0\r]/g, (c) => ENTITIES[c]) : text;
const MASK = "********";
