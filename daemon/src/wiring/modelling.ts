/** Wires the model to the documents of the API and to rights. Its rules take part in the store's transactions. */
import type { Access } from '../access/access.types.ts';
import { decideMove } from '../access/moves.ts';
import { changedObject, newObject, parseDocument } from '../api/writing/document.ts';
import { type CatalogModel, createCatalogModel } from '../catalog/model/catalog-model.ts';
import type { OpenNode } from './node-opening.ts';

export function createModelling({ node, store, logger, stops }: OpenNode, access: Access): CatalogModel {
  const model = createCatalogModel({
    store,
    node,
    documents: { parse: parseDocument, created: newObject, changed: changedObject },
    decide: (principal, asked) => access.decide(principal, asked),
    decideMove: (principal, about, before, after) => decideMove(access, principal, about, before, after),
    logger: logger.child({ part: 'model' }),
  });
  store.addParticipant(model.participant);
  stops.push(() => model.stop());
  return model;
}
