// ONNX Runtime as a peer: see peer.h for what it is asked. A model holds one operation COPIES times over, all reading the same
// input, so that what a call from JavaScript costs is spread over them; graph optimisation, which would see that, is off.
"use strict";
const fs = require("fs"), path = require("path"), readline = require("readline");
const ort = require(path.resolve(process.argv[2], "node_modules/onnxruntime-node"));
const { version } = require(path.resolve(process.argv[2], "node_modules/onnxruntime-node/package.json"));

const COPIES = 64, FLOAT = 1, STRING = 3;

// ONNX's name, its attributes, and constant inputs that follow x.
const OPERATIONS = {
    relu: ["Relu"], sigmoid: ["Sigmoid"], tanh: ["Tanh"], exponential: ["Exp"], elu: ["Elu"], celu: ["Celu"], selu: ["Selu"],
    gelu: ["Gelu"], gelu_tanh: ["Gelu", { approximate: "tanh" }], mish: ["Mish"], softplus: ["Softplus"],
    hard_swish: ["HardSwish"], erf: ["Erf"], leaky_relu: ["LeakyRelu"], hard_sigmoid: ["HardSigmoid", { alpha: 1 / 6 }],
    softsign: ["Softsign"], hard_tanh: ["Clip", {}, [-1, 1]], relu6: ["Clip", {}, [0, 6]],
    soft_shrink: ["Shrink", { bias: 0.5 }], hard_shrink: ["Shrink"], thresholded_relu: ["ThresholdedRelu"],
    sin: ["Sin"], asinh: ["Asinh"], arctan: ["Atan"], softmax: ["Softmax"], log_softmax: ["LogSoftmax"],
};

// ---- Protocol buffers: a field is its number and wire type (0 varint, 2 bytes, 5 float), then its value ----

function varint(n) {
    const bytes = [];
    for (; n > 127; n = Math.floor(n / 128)) bytes.push(n % 128 + 128);
    return Buffer.from([...bytes, n]);
}
const number = (field, n) => Buffer.concat([varint(field * 8), varint(n)]);
const bytes = (field, data) => Buffer.concat([varint(field * 8 + 2), varint(Buffer.byteLength(data)), Buffer.from(data)]);
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));
function float(field, x) {
    const data = Buffer.alloc(4);
    data.writeFloatLE(x);
    return Buffer.concat([varint(field * 8 + 5), data]);
}

// AttributeProto { name = 1, f = 2, s = 4, type = 20 }
function attribute(name, value) {
    const text = typeof value === "string";
    return message(5, bytes(1, name), text ? bytes(4, value) : float(2, value), number(20, text ? STRING : FLOAT));
}

// ValueInfoProto { name = 1, type = 2 { tensor_type = 1 { elem_type = 1, shape = 2 { dim = 1 { dim_value = 1 } } } } }
function value(field, name, shape) {
    const dims = message(2, ...shape.map((size) => message(1, number(1, size))));
    return message(field, bytes(1, name), message(2, message(1, number(1, FLOAT), dims)));
}

// ModelProto { ir_version = 1, graph = 7 { node = 1, name = 2, initializer = 5, input = 11, output = 12 }, opset_import = 8 }
function model([operator, attributes = {}, constants = []], shape, copies) {
    const names = constants.map((_, i) => "c" + i);
    const nodes = Array.from({ length: copies }, (_, i) =>
        message(1, ...["x", ...names].map((name) => bytes(1, name)), bytes(2, "y" + i), bytes(4, operator),
            ...Object.entries(attributes).map(([name, value]) => attribute(name, value))));
    const initializers = constants.map((c, i) => message(5, number(2, FLOAT), float(4, c), bytes(8, names[i])));
    const graph = message(7, ...nodes, bytes(2, "g"), ...initializers, value(11, "x", shape), value(12, "y0", shape));
    return Buffer.concat([number(1, 9), graph, message(8, bytes(1, ""), number(2, 20))]);
}

// ---- Cases ----

let current;

async function begin([op, pass, rows, columns, threads, x, , y]) {
    if (pass !== "forward" || !(op in OPERATIONS)) return false;
    const shape = [Number(rows), Number(columns)], data = new Float32Array(shape[0] * shape[1]);
    const file = fs.openSync(x);
    fs.readSync(file, data);
    fs.closeSync(file);
    const options = { intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: "disabled" };
    const copies = shape[0] * shape[1] > 1e6 ? 1 : COPIES; // past the caches a call costs nothing beside the work
    const input = new ort.Tensor("float32", data, shape);
    const session = await ort.InferenceSession.create(model(OPERATIONS[op], shape, copies), options);
    current = { session, feeds: { x: input }, y, copies };
    return true;
}

async function run(count) {
    const calls = Math.ceil(count / current.copies), began = process.hrtime.bigint();
    for (let i = 0; i < calls; i++) await current.session.run(current.feeds);
    return Number(process.hrtime.bigint() - began) * 1e-9 * count / (calls * current.copies);
}

async function write() {
    const { y0 } = await current.session.run(current.feeds);
    fs.writeFileSync(current.y, new Uint8Array(y0.data.buffer, y0.data.byteOffset, y0.data.byteLength));
    return "ok";
}

async function answer(line) {
    const [command, ...words] = line.trim().split(/\s+/);
    switch (command) {
        case "name": return "ONNX Runtime " + version;
        case "case": return await begin(words) ? "ok" : "none";
        case "run": return String(await run(Number(words[0])));
        default: return await write();
    }
}

(async () => {
    for await (const line of readline.createInterface({ input: process.stdin })) console.log(await answer(line));
})();
