/** The types of property values. Separate from the schemas, because the command line loads them at its start, where every file counts. */
export const PROPERTY_TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'port', 'secret'] as const;
export type PropertyType = (typeof PROPERTY_TYPES)[number];
