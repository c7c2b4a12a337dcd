// What the live figures' scripts hand to one another. For the type checker
// alone: no page is given this file.

/** A list of numbers, of whatever kind. */
interface Vector extends Iterable<number> {
    readonly length: number;
    [i: number]: number;
    map(change: (value: number, i: number) => number): Vector;
    reduce(
        add: (sum: number, value: number, i: number) => number,
        start: number,
    ): number;
}

/** A mixture of Gaussians on a line: one entry for each component. */
interface Mixture {
    weights: number[];
    means: number[];
    variances: number[];
}

/** One in a plane: x and y of each component, one after the other. */
interface PlaneMixture {
    weights: number[];
    means: Vector;
    variances: Vector;
}

/** A network's weights by their names. */
type Network = Record<string, Float64Array>;

/** What Python sent as bytes. */
type Bytes = ArrayBuffer | DataView | Uint8Array;

interface Point {
    x: number;
    y: number;
}

interface Colors {
    data: string;
    noise: string;
    model: string;
    exact: string;
}

/** The colours of the page as it is now. */
interface Inks extends Colors {
    ink: string;
    paper: string;
    font: string;
}

/** What a view's `draw` draws with; sizes are in pixels. */
interface Pen extends Inks {
    ctx: CanvasRenderingContext2D;
    width: number;
    height: number;
}

interface Scale {
    (value: number): number;
    invert(place: number): number;
}

/** The inside of axes, in pixels, and the scales to it. */
interface Frame {
    left: number;
    top: number;
    right: number;
    bottom: number;
    x: Scale;
    y: Scale;
}

/** A number, or a number and what is written there. */
type Tick = number | [number, string];

interface AxesOptions {
    x: [number, number];
    y: [number, number];
    xTicks?: Tick[];
    yTicks?: Tick[];
    xLabel?: string;
    yLabel?: string;
}

interface CurveStyle {
    width?: number;
    dash?: number[];
    fill?: number;
}

/** The part of a widget's model that a live figure uses. */
interface Model {
    get(key: string): any; // whatever the Python class put there
    set(key: string, value: unknown): void;
    on(event: string, follower: () => void): void;
    off(event: string, follower: () => void): void;
    save_changes(): void;
}

type Stage<S> = import("./stage.js").Stage<S>;

interface Common<S> {
    when?: (state: S) => boolean;
    only?: (state: S) => unknown;
    main?: boolean;
    text?: (value: any) => string; // of the control's own value
}

interface RangeControl<S> extends Common<S> {
    kind: "range";
    key: string;
    label: string;
    min: number;
    max: number;
    step?: number;
    start: number;
}

interface ChoiceControl<S> extends Common<S> {
    kind: "choice";
    key: string;
    label: string;
    start: string;
    options: [value: string, text: string][];
}

/** A choice of which only the chosen is seen. */
interface MenuControl<S> extends Omit<ChoiceControl<S>, "kind"> {
    kind: "menu";
}

interface Button<S> extends Common<S> {
    label: string | Several<[state: S, stage: Stage<S>]>;
    press(stage: Stage<S>): void;
}

/** A value with no control of its own; `read` gives it from an address. */
interface Hidden<S> extends Common<S> {
    key: string;
    start: unknown;
    read(value: any): unknown;
}

type Control<S> =
    RangeControl<S> | ChoiceControl<S> | MenuControl<S> | Button<S> | Hidden<S>;

/** A control's element, and how it is made to show a value. */
interface Made {
    box?: HTMLElement;
    show(value: any, text: string): void;
}

/** Words of which one is seen at a time. */
interface Several<From extends unknown[]> {
    each: string[];
    which(...from: From): number;
}

type Words<S> = string | ((state: S) => string);

/** A view; F is what `draw` returns, H what `down` takes hold of. */
interface ViewOptions<S, F = any, H = any> {
    label: Words<S>;
    title?: string | Several<[state: S]>;
    span?: number;
    narrow?: number;
    aspect?: number;
    height?: number;
    low?: number;
    when?: (state: S) => boolean;
    draw(pen: Pen, state: S, stage: Stage<S>): F;
    drag?: {
        touch?: string;
        cursor?: string;
        down(at: Point, state: S, frame: F): H | undefined;
        move(held: H, at: Point, state: S, frame: F): Partial<S> | undefined;
    };
    tap?(at: Point, state: S, frame: F): Partial<S>;
    keys?(key: string, state: S, frame: F): Partial<S> | undefined;
}

type Value = [name: string, value: string, spoken?: string];

interface Figure<S> {
    name: string;
    label: string;
    controls: Control<S>[];
    views: ViewOptions<S>[];
    values?: (state: S) => Value[];
    tick?: (
        seconds: number,
        state: S,
        stage: Stage<S>,
    ) => Partial<S> | undefined | void;
    playing?: boolean;
}

interface Place {
    model: Model;
    el: HTMLElement;
}
