// Open a model with netron's own code, without a browser, and print what its sidebars show of each node:
// node netron.mjs FOLDER-OF-NETRON MODEL
import * as fs from 'fs';
import * as path from 'path';
import * as url from 'url';

const [folder, file] = process.argv.slice(2);
const load = (name) => import(url.pathToFileURL(path.join(folder, name)).href);
const read = async (name) => fs.readFileSync(path.join(folder, name), 'utf-8');
const fail = (error) => { throw error; };
const { BinaryStream } = await load('base.js');
const { ModelFactoryService } = await load('view.js');
const host = { require: (id) => load(`${id}.js`), request: read, asset: read, environment: () => null, event: () => {}, exception: fail, error: fail };
const stream = new BinaryStream(new Uint8Array(fs.readFileSync(file)));
const model = await new ModelFactoryService(host).open({ ...host, identifier: path.basename(file), stream, fetch: read, entries: new Map() });
const values = (node) => node.outputs.flatMap((argument) => argument.value.map((value) => [value.name, `${value.type || ''}`]));
const metadata = (node) => (node.metadata || []).map((entry) => [entry.name, entry.value]);
console.log(JSON.stringify(model.modules[0].nodes.map((node) => ({
    name: node.name, type: node.type.name, metadata: Object.fromEntries(metadata(node)), outputs: Object.fromEntries(values(node))
}))));
