/** Limits on the model's work. */

/** Properties of a type, including inherited ones. */
export const MAX_PROPERTIES = 1_024;
/** Dependents that a refusal names. */
export const LISTED = 20;
/** Dependents that a refusal counts; for more it says "more than". */
export const COUNTED = 10_000;
/** Causes in one refusal: enough to correct a document in one go. */
export const MAX_CAUSES = 100;
/** Ancestors that the search for cycles visits in one transaction. */
export const MAX_ANCESTORS = 200_000;
/** Resources judged again when their type changes, at about 80 µs each. */
export const MAX_REJUDGED = 200_000;
/** Objects deleted by one cascade, since a transaction holds them in memory. */
export const MAX_CASCADE = 100_000;
/** Objects in one import. This many take about 700 MB while they are written, and make other writers wait for ten seconds. */
export const MAX_IMPORT_OBJECTS = 50_000;
/** Characters of a document in an import: the limit of an object that is written alone. */
export const MAX_DOCUMENT = 1024 * 1024;
/** Bytes of the body of one import. */
export const MAX_IMPORT_BYTES = 32 * 1024 * 1024;
/** Children that the effective view of a resource shows. */
export const SHOWN_CHILDREN = 1_000;
/** Resolved types in the cache. */
export const CACHED_TYPES = 1_024;
/** Objects after which long work yields to the event loop. */
export const BREATH = 256;
