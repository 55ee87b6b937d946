// The tensors of a graph beside those that its description names.

import { InputError } from '../core/errors.ts'
import type { OnnxSession } from './onnx-session.ts'

/** Names of tensors by what they are; all of them, no more. */
export interface TensorNames {
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: Readonly<Record<string, string>>
}

/** @throws InputError naming what the graph has and what teacher.json says */
export function checkNames(
  session: Pick<OnnxSession, 'inputs' | 'outputs'>,
  { inputs, outputs }: TensorNames,
  file: string,
): void {
  const sides = [
    ['inputs', Object.values(inputs), session.inputs],
    ['outputs', Object.values(outputs), session.outputs],
  ] as const
  for (const [side, wanted, tensors] of sides) {
    const found = tensors.map(({ name }) => name)
    if (wanted.length !== found.length || found.some((name) => !wanted.includes(name))) {
      throw new InputError(
        `${file} has the ${side} ${found.join(', ')}; teacher.json says ${wanted.join(', ')}`,
      )
    }
  }
}
