/** What the value of a property can be. Apart from what parses rules: the command line uses it at its start, where every file counts. */
export const PROPERTY_TYPES = ['string', 'integer', 'number', 'boolean', 'array', 'object', 'port', 'secret'] as const;
export type PropertyType = (typeof PROPERTY_TYPES)[number];
