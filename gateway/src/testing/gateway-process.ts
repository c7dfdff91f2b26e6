// A gateway in a process of its own, for tests that kill it: its configuration comes as JSON in an argument.
import { createGateway } from '../index.ts'

const gateway = await createGateway(JSON.parse(process.argv[2]!))
process.stdout.write(`${gateway.url}\n`)
process.once('SIGTERM', () => void gateway.close().then(() => process.exit(0)))
