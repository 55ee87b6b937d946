// What an architecture brings along to be opened, checked and described; the list is architectures.ts.

import type { z } from 'zod'
import type { TeacherAdapter } from './adapter.ts'
import type { Description, ModelFolder } from './description.ts'
import type { OnnxSession } from './onnx-session.ts'
import type { PromptOptions, TeacherOptions } from './options.ts'

/** One kind of model. Chosen by `architecture` of teacher.json, so its methods only see folders of its own. */
export interface Architecture<D extends Description = Description> {
  /** As `architecture` of teacher.json has it. */
  readonly name: D['architecture']
  /** Of teacher.json: `commonFields`, `architecture` as a literal, `files` with those that it needs. */
  readonly schema: z.ZodType<D> & z.core.$ZodTypeDiscriminable
  /**
   * Reads what it needs beside the graph, such as a vocabulary.
   *
   * @param folder its files are those that teacher.json lists
   * @throws InputError naming the file
   */
  load(folder: ModelFolder<D>): Promise<Model>
  /** What `teacher inspect` says of it beyond what it says of every model: label and value. */
  factsOf(description: D): readonly (readonly [label: string, value: string])[]
}

/** A model folder that was read, its graph not opened. */
export interface Model {
  /**
   * @param prompt as configured; what an architecture cannot do it refuses
   * @throws ConfigError for options that do not fit the model; no thread was started then
   */
  adapt(teacher: TeacherOptions, prompt: PromptOptions): TeacherAdapter
  /**
   * Compares an open graph with the description and runs it once on something tiny. Absent: there is no
   * graph, and boxes are made up.
   *
   * @throws InputError, RangeError or the runtime's error for a graph that cannot be used
   */
  probe?(session: OnnxSession): Promise<void>
}
