/**
 * Parses XML into a tree, strictly and with limits. Refuses document types with declarations, and entities other than XML's five, so that
 * nothing external is read and nothing expands.
 */
import { DtkdError } from '../../protocol/errors.ts';

/** Deeper documents are no inventories. */
const MAX_DEPTH = 64;
/** The most elements, since each costs memory. */
const MAX_ELEMENTS = 1_000_000;

export interface XmlElement {
  name: string;
  attributes: Record<string, string>;
  children: XmlElement[];
  /** The line of its start, from 1. */
  line: number;
}

/** Parses a document and returns its root. Errors: BAD_REQUEST with the line. */
export async function parseXml(text: string, source: string): Promise<XmlElement> {
  const { default: sax } = await import('sax');
  const parser = sax.parser(true, { position: true });
  const open: XmlElement[] = [];
  let root: XmlElement | undefined;
  let elements = 0;
  let beganAt = 1;
  const refuse = (why: string): DtkdError => new DtkdError('BAD_REQUEST', `${source}:${parser.line + 1}: ${why}`);
  parser.onerror = (error) => {
    const why = error.message.split('\n')[0] ?? 'not well-formed XML';
    const unclosed = /close/i.test(why) ? open.at(-1) : undefined;
    throw refuse(unclosed === undefined ? why : `${why}; <${unclosed.name}> of line ${unclosed.line} is not closed`);
  };
  parser.ondoctype = (doctype) => {
    if (/[[<]|ENTITY/i.test(String(doctype))) {
      throw new DtkdError('BAD_REQUEST', `${source}:${parser.line + 1}: the document type declares entities or elements`, {
        next: 'Remove the part in brackets in <!DOCTYPE …>; entities are not expanded here.',
      });
    }
  };
  parser.onopentagstart = () => {
    beganAt = parser.line + 1;
  };
  parser.onopentag = ({ name, attributes }) => {
    elements += 1;
    if (elements > MAX_ELEMENTS) throw refuse(`more than ${MAX_ELEMENTS} elements`);
    if (open.length >= MAX_DEPTH) throw refuse(`elements are nested deeper than ${MAX_DEPTH}`);
    const plain = Object.entries(attributes).map(([key, value]) => [key, typeof value === 'string' ? value : value.value] as const);
    const element: XmlElement = { name, attributes: Object.fromEntries(plain), children: [], line: beganAt };
    if (root === undefined) root = element;
    else if (open.length === 0) throw refuse('a second root element');
    open.at(-1)?.children.push(element);
    open.push(element);
  };
  parser.onclosetag = () => {
    open.pop();
  };
  parser.write(text).close();
  if (root === undefined || open.length > 0) throw new DtkdError('BAD_REQUEST', `${source}: this is not a complete XML document`);
  return root;
}
