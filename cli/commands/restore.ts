import { mustComeFirst } from '../own-programs.ts';

/** `dtkd restore` is a program of its own and needs no daemon. */
export const configure = mustComeFirst;
