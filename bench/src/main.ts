import { parseArgs } from 'node:util'
import { packageFixtures } from './lib/fixtures.ts'
import { Results } from './lib/results.ts'
import { workerdVersion } from './peers/workerd.ts'
import { deploy } from './suites/deploy.ts'
import { dispatch } from './suites/dispatch.ts'
import { http } from './suites/http.ts'
import { kills } from './suites/kills.ts'
import { soak } from './suites/soak.ts'
import { starts } from './suites/starts.ts'
import type { SuiteOptions } from './suites/suite.ts'
import { throughput } from './suites/throughput.ts'

const USAGE = `npm run bench -- [SUITE...] [--quick]

  runtime   dispatch, throughput, starts and kills in the sandbox alone; each of these parts by its name, too
  http      free and paid calls through gateway and worker
  deploy    \`serverless deploy\` of the example by step
  soak      20,000 executions while jails are killed at random: nothing may be left
  --quick   short runs that show whether all works: printed, not stored

Without a name all suites run, each stored as bench/results/SUITE.json.`

type Part = (options: SuiteOptions) => Promise<void>

/** What is stored, one file each. */
const SUITES: Record<string, Part[]> = {
  runtime: [dispatch, throughput, starts, kills],
  http: [http],
  deploy: [deploy],
  soak: [soak],
}

/** What can be run alone; printed, not stored. */
const PARTS: Record<string, Part> = { dispatch, throughput, starts, kills }

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: 'boolean', default: false }, help: { type: 'boolean' } },
  })
  const names = positionals.length > 0 ? positionals : Object.keys(SUITES)
  const unknown = names.find((name) => !(name in SUITES) && !(name in PARTS))
  if (values.help || unknown) {
    console.log(unknown ? `bench: there is no suite ${unknown}\n\n${USAGE}` : USAGE)
    process.exitCode = unknown ? 1 : 0
    return
  }
  const fn = await packageFixtures()
  for (const name of names) {
    console.log(`${name}${values.quick ? ' (quick: the figures mean little)' : ''}`)
    const results = new Results(name)
    results.versions.workerd = workerdVersion()
    for (const part of SUITES[name] ?? [PARTS[name]!]) {
      await part({ results, quick: values.quick, fn }).catch((error) => results.fail(part.name, error))
    }
    if (results.failed) process.exitCode = 1
    if (results.missed > 0) console.log(`  ${results.missed} missed`)
    if (name in SUITES && !values.quick) results.store()
  }
}

await main()
