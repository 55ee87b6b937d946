import { loadConfig } from '../config.ts'
import type { Check } from '../doctor/check.ts'
import { diagnose } from '../doctor/doctor.ts'
import { collect, positiveInt, type RegisterCommand } from './command.ts'

interface Flags {
  readonly set: string[]
  readonly rows: number
  readonly out: string
  readonly json?: true
}

/** `groundmill doctor`; exits with 1 when a check fails. */
export const registerDoctor: RegisterCommand = (program, io) => {
  program
    .command('doctor')
    .description(
      'What is wrong here: Node, disk, teacher, columns of the dataset, connections, how the first rows ' +
        'fare without labelling, resolver, robots.txt and clock. Writes nothing.',
    )
    .argument('[config]', 'YAML file, see configs/')
    .option('--set <key=value>', 'override one option', collect, [])
    .option('--rows <n>', 'rows of the dataset to try', positiveInt, 100)
    .option('--out <dir>', 'where the run would be written', '.')
    .option('--json', 'print findings as JSON')
    .addHelpText('after', '\nExample:\n  groundmill doctor configs/demo.yaml --rows 20')
    .action(async (file: string | undefined, flags: Flags) => {
      const config = await loadConfig(file, flags.set)
      const findings: Check[] = []
      const { rows, out: folder } = flags
      for await (const finding of diagnose({ config, rows, folder, signal: io.signal })) {
        findings.push(finding)
        if (!flags.json) io.stdout.write(format(finding))
      }
      if (flags.json) io.stdout.write(`${JSON.stringify({ findings })}\n`)
      io.finish(findings.some(({ status }) => status === 'fail') ? 1 : 0)
    })
}

function format({ check, status, detail, advice }: Check): string {
  const line = `${status.padEnd(5)}${check.padEnd(10)}${detail}\n`
  return advice === undefined || status === 'ok' ? line : `${line}${' '.repeat(15)}-> ${advice}\n`
}
