/** Plans: from what is applied, and what is wanted, to the steps of a task. All of them are pure. */
export { planConverge } from './plan/plan-converge.ts';
export { planDelete } from './plan/plan-delete.ts';
export { planAction, planCheck, planWorkflow } from './plan/running.ts';
