"""The words that decide whether two pieces of advice agree. Entries end with a semicolon.

    AXES       one opposition, `pole / pole`: words of one pole mean about the same, words across it oppose
    SYNONYMS   one meaning, with no opposition known
    PHRASES    several words read as one, `as written > read as`; the longest wins
    IRREGULAR  forms no suffix rule undoes, `base: form form`
    UNITS      one dimension, `dimension: size name name, size name`; sizes are in the dimension's own unit

Words stand in their base form, a phrase with underscores; a word may stand in several entries.
"""

AXES = """
always every invariably constantly routinely / never seldom rarely hardly; all everything everyone entire whole each
every any / none nothing nobody neither no; all every / some few; accept admit approve grant permit allow authorise
authorize let enable tolerate allowed / reject refuse deny decline block forbid prohibit disallow ban prevent bar;
allow permit may / forbid prohibit must_not; admissible permissible permitted acceptable legal lawful / inadmissible
impermissible forbidden unacceptable illegal unlawful; include count contain cover add incorporate retain keep
involve / exclude omit ignore skip drop leave_out strip remove discard subtract deduct; inside within / outside
beyond; add plus sum / subtract minus deduct take_away; multiply times / divide; increase raise rise grow up upward
upwards higher climb boost expand gain enlarge lift exceed jump / decrease reduce lower fall decline down downward
downwards drop shrink cut diminish lessen lose loss; bigger larger greater more higher large big great / smaller
lesser less fewer lower small little tiny; maximum max maximal most highest largest greatest biggest upper top
ceiling peak upper_limit / minimum min minimal least lowest smallest fewest lower bottom floor lower_limit; at_least
/ at_most; at_least more_than above over exceed / at_most less_than below under fewer_than; above over higher_than
more_than greater exceed beyond / below under beneath lower_than less_than underneath; before prior_to ahead_of
beforehand earlier / after following afterwards later subsequently once; first initial initially earliest opening
start begin beginning front head begin_with / last final finally latest closing end ending back tail; first
begin_with / second later; early earlier / late later; older old oldest outdated / newer new newest recent latest
fresh; ascending / descending; asc / desc; top / bottom; left / right; front / back; start begin launch open boot
resume start_up / stop end halt quit finish close terminate cease pause shut shut_down abort; open / close shut
closed; enable activate turn_on switch_on / disable deactivate turn_off switch_off mute; on / off; true / false; yes
/ no; correct right accurate valid true / incorrect wrong inaccurate invalid false error mistake; right / wrong;
safe secure / unsafe dangerous risky insecure; trust rely believe assume / distrust doubt verify check question;
trust rely / verify validate confirm double_check; use apply employ adopt utilise utilize prefer / avoid refrain;
prefer favour favor choose want / avoid shun; keep retain preserve maintain hold / remove delete discard drop erase
purge clear lose change delete replace; create make build add / delete destroy remove drop; install / uninstall;
insert / remove delete; load / unload; attach / detach; connect / disconnect; plug_in / unplug; lock / unlock;
freeze / unfreeze thaw; mount / unmount; encrypt cipher / decrypt; encode / decode; compress zip pack / decompress
unzip unpack extract; serialize serialise / deserialize deserialise; upload push send / download pull fetch receive;
send emit / receive get; import / export; push / pull pop; buy purchase / sell; borrow / lend; lend / borrow; credit
/ debit; asset / liability; income revenue gain profit earnings / expense cost loss; profit / loss; premium /
discount; gross / net; inflow / outflow; incoming inbound / outgoing outbound; deposit / withdraw; deposit /
withdrawal; long lengthy verbose / short brief terse concise; full complete whole entire / partial incomplete; full
/ empty; empty blank / filled nonempty; fixed constant static / variable floating dynamic; fixed / exponential;
nominal / real; simple / compound; simple plain easy / complex complicated hard difficult; public external / private
internal; internal / external; internal domestic / external foreign; local / global remote; local / utc; absolute /
relative; explicit explicitly / implicit implicitly; manual manually / automatic automatically; synchronous sync /
asynchronous async; serial sequential sequentially / parallel concurrent concurrently; online / offline; static /
dynamic; mutable / immutable; strict strictly / loose lenient loosely; strong / weak; hot / cold; warm / cold; wet /
dry; heavy heaviest / light lightest; fast quick rapid / slow; cheap inexpensive / expensive costly; near close
nearest closest / far distant farthest furthest; wide broad broadest / narrow narrowest specific; general generic
broad / specific particular; horizontal horizontally / vertical vertically; clockwise / counterclockwise
anticlockwise; north / south; east eastern easternmost / west western westernmost; forward forwards / backward
backwards; ascend climb / descend; positive / negative; plus / minus; odd / even; even_number / odd_number;
numerator / denominator; dividend / divisor; input / output; source / target destination; sender / recipient; buyer
customer purchaser client / seller vendor merchant supplier; landlord lessor / tenant lessee; employer / employee;
lender creditor / borrower debtor; plaintiff / defendant; parent / child; host / guest; server / client; producer /
consumer; master primary / replica secondary slave; primary / secondary; major majority / minor minority; success
succeed successful pass / failure fail failing failed unsuccessful; pass / fail; present exist / absent missing
lack; with / without; same identical equal / different distinct unequal unlike vary; together jointly combined /
separate separately apart individually; alone solely only single / together; single one / multiple several many
both; once / repeatedly; often frequently frequent regularly / rarely seldom infrequently; usually commonly
typically normally mostly / rarely seldom hardly; temporary temporarily / permanent permanently; mandatory required
compulsory obligatory necessary must / optional voluntary; need require necessary / unnecessary needless; guilty /
innocent; agree / disagree; agree match / differ conflict; like / dislike; love / hate; help helpful / harm harmful;
improve better enhance / worsen worse degrade deteriorate; better best / worse worst; good well / bad badly poor;
clean / dirty; clear / vague unclear; known / unknown; visible show display reveal expose shown / hidden hide
conceal mask; show reveal display openly honestly / hide conceal; public / secret; loud loudly / silent silently
quiet quietly; active / passive; active enabled / inactive disabled; alive / dead; busy / idle; urgent emergency
immediately instantly at_once / routine later eventually; immediately promptly now at_once / later eventually; acute
/ chronic; benign / malignant; healthy / sick ill; adult / child infant; male / female; raise / lower; tighten /
loosen; inflate / deflate; accelerate / decelerate; fill / drain empty; heat / cool; absorb / emit; join merge
combine unite group / split separate divide ungroup; union / intersection; unique distinct / duplicate repeated;
deduplicate / duplicate; sort sorted / shuffle unsorted random; sorted ordered / unsorted unordered; deterministic /
random nondeterministic; normalise normalize / denormalise denormalize; inner / outer; depth_first / breadth_first;
lower_case lowercase / upper_case uppercase; singular / plural; formal / informal casual; polite / rude; serious /
minor; supply / demand; bull / bear; overestimate / underestimate; overstate / understate; overweight / underweight;
overfit / underfit; appreciate / depreciate; inflation / deflation; surplus / deficit; overtime / undertime; win /
lose; gain / lose; save / spend; save / discard; earn / spend; hire / fire; promote / demote; encourage advise
recommend / discourage dissuade; praise commend / criticise criticize blame; comply obey follow / violate disobey
break; legal / illegal; include / exclude; inclusive inclusively including / exclusive exclusively excluding;
continue proceed keep_on carry_on / stop halt pause quit cease; repeat rerun retry / skip stop; remember / forget;
commit / rollback revert; deploy / rollback revert; upgrade / downgrade; scale_out scale_up / scale_in scale_down;
round_up / round_down; ceil / floor; zoom_in / zoom_out; log_in sign_in / log_out sign_out; check_in / check_out;
opt_in / opt_out; whitelist allowlist / blacklist denylist; eager eagerly / lazy lazily; bulk batch / single
individual individually; optimistic / pessimistic; precise exact exactly precisely / approximate approximately
roughly; exact / fuzzy; raw / processed; signed / unsigned; finite / infinite; bounded limited / unbounded
unlimited; limit cap restrict / unlimited unrestricted; sufficient enough / insufficient; eligible / ineligible;
reversible / irreversible; possible can / impossible cannot; likely probable / unlikely improbable; relevant /
irrelevant; important / unimportant trivial; familiar / unfamiliar; conscious / unconscious; elective / urgent;
deductible / nondeductible; taxable / exempt; current / noncurrent; settled / pending; trade / settlement; operating
/ nonoperating; direct directly / indirect indirectly; upstream / downstream; hit / miss; peak / trough; sunrise /
sunset; morning / evening; am / pm; day / night; noon / midnight; summer / winter; arrive arrival / depart departure
leave; enter / exit leave; attach / remove; give provide / withhold; cause / effect; precede / follow; predecessor /
successor; previous prior preceding / next following subsequent; older / younger; ahead / behind; live / die; charge
/ waive; expense / capitalise capitalize; inversely opposite / same; negative / positive; encrypt / plain; publish /
draft; past / future; past / present; research / development; upper / lower; lead / trail; blue / red;
"""

SYNONYMS = """
verify check validate confirm ensure make_sure inspect test examine review; compute calculate work_out determine
derive obtain figure_out get find evaluate; begin start open; finish end complete finalise; use apply employ utilise
utilize take pick choose select adopt go_with opt_for prefer; show display present give report state; say state
mention tell specify name; convert change translate turn transform switch bring; delete remove erase drop take_out
strip purge discard; fix repair correct resolve mend; error mistake failure fault bug problem issue; answer reply
response result; question query problem; customer client buyer purchaser shopper; client customer; user person;
worker employee staff; manager supervisor; doctor physician clinician; drug medication medicine; patient person;
child pupil student; amount figure value number sum quantity; figure number value; total sum; mean average; ratio
quotient; earnings profit income; revenue sales turnover; expense cost; inventory stock; equity capital; shareholder
stockholder; buy purchase; pay settle; refund money_back reimburse; price cost; cheap inexpensive low-cost; file
document; folder directory; message mail email; letter mail; phone telephone; row record entry line; column field;
table relation; key identifier id; request call query; call invoke; endpoint route; reply respond answer; retry
repeat try_again rerun redo; wait pause sleep; limit cap ceiling maximum bound; quick fast rapid; big large great;
small little; begin_with first start; immediately at_once promptly instantly; only solely exclusively just merely
alone; often frequently; again once_more; also too additionally; because since as due_to; therefore hence so thus;
if when whenever where should; unless except; until till; while during; before prior_to ahead_of; after once
following as_soon_as; must should have_to has_to need ought; keep retain preserve hold maintain leave; put place
set; write note record; read see look interpret view; execute run; launch start; stop halt end quit; edit change
modify alter touch; build create make construct set_up; broken fail failing; guess assume; belong go; need require;
send pass transmit; hand give pass; escalate hand_over pass_on; tag label mark; mark label flag; sentence passage
text; text passage; principal face; brackets parentheses bracketed; percent percentage; cent penny; nearest next
closest; yearly annual annually per_year annum; monthly per_month; daily per_day; year annual; identical same equal;
different distinct; distinct unique; wrong incorrect mistaken; dangerous risky; exact precise; entire whole full
complete; several multiple many; more_than over above exceed beyond greater_than; less_than below under fewer_than
beneath; at_least minimum no_less; at_most maximum no_more up_to not_exceed; reboot restart; server host; node
machine; instance replica; cpu processor; memory ram; image picture; car vehicle; trip journey travel; flight plane;
road street; illness disease; leg limb; hurt injured; pulse heart; fever feverish temperature; baby infant newborn;
contract agreement; term period duration; law statute; clause provision; party side; judge court; evidence proof;
negligence carelessness; word term; paragraph section; conclusion finding; heading header title; reader audience;
author writer; spelling orthography; quotation quote citation cite; headline title; seal sticker; truck lorry;
parcel package box; warehouse depot; goods items products; room chamber; interview question; candidate applicant;
approval permission sign_off consent approve; advance beforehand; exercise task practice; hint clue; solution
answer; effort work; talent gift gifted; plug cable; case housing; valve tap; plant flower; meeting call; attendee
participant; recipient addressee receiver; archive store; old aged; openly frank frankly honestly; delay late
lateness; backup copy; rotate replace exchange renew; salt salted; address location; allow permit accept; privilege
permission right; service application; upload send; larger over bigger; exponential exponentially; backoff delay;
timeout limit; header head; empty blank none; page screen; cache store keep; duplicate repeated; occurrence
instance; missing absent gap; median middle; outlier extreme; percentile quantile; display show; format form; decode
read; fall_back fallback; speed velocity rate; train rail; toward towards approach; original initial; substitute
plug put; complement opposite; probability chance likelihood; discount rebate reduction; unit measure; intermediate
interim; fraction ratio; simplify reduce; step stage; escape sanitise sanitize; hash digest; log write; personal
private; grant give; bucket storage; symbol ticker; support back; composition compose; inheritance inherit; share
reuse; small tiny; commit check_in; environment env; variable setting; shortest minimal; handle descriptor; skip
ignore leave_out omit; header heading; balance amount; recognise recognize book; control ownership; cash money;
monthly month; hourly hour; deduct subtract take_off; warn alert notify; zero 0; migrate move; strict rigorous;
gross inclusive; vat tax; source reference; disagree conflict differ; recent new latest newest newer current; old
older outdated; documentation docs manual; cause reason; asset resource; sample sampling; specific narrow
particular; match fit; spot current; double twice; transfer move; spending expense; decline fall drop decrease; sign
signal; list array; loop iterate; token key; log_in login sign_in; truncate cut cut_off; print output; pause stop;
assumption guess; cash_flow cash; capex capital; option choice; grant award; flip invert reverse; ledger book; mock
fake; container docker; history log; branch fork; accrue accumulate; impairment write-down; bond note; coupon
interest; async asynchronous; help assist; quality grade; unclear unsure uncertain; request ask demand; wrong false;
sufficient enough; widen wide; cell field; promise commit; insist press; weight mass weigh; deliver supply;
ventilate air; smell odour odor; team group; ticket issue case; own possess; emergency urgent; elevate raise lift;
stop halt; tool utility; search look look_up look_for; parse read; stored store; raise throw; catch handle;
propagate bubble_up pass; pin lock fix; suite tests; root origin; trace traceback; entire full; sum add total; round
truncate;
"""

PHRASES = """
no more than > at_most; not more than > at_most; no less than > at_least; not less than > at_least; no fewer than >
at_least; at least > at_least; at most > at_most; up to > at_most; must not exceed > at_most; may not exceed >
at_most; should not exceed > at_most; not exceed > at_most; or fewer > at_most; or less > at_most; or more >
at_least; more than > more_than; greater than > more_than; higher than > more_than; larger than > more_than; bigger
than > more_than; faster than > more_than; longer than > more_than; older than > more_than; less than > less_than;
fewer than > less_than; lower than > less_than; smaller than > less_than; younger than > less_than; shorter than >
less_than; newer than > less_than; prior to > before; ahead of > before; in advance > beforehand; as soon as >
after; only once > only_after; only after > only_after; only when > only_if; only if > only_if; only for > only_if;
even if > even_if; even when > even_if; even where > even_if; rather than > instead_of; instead of > instead_of; in
place of > instead_of; as opposed to > instead_of; no need to > not; not necessary to > not; need not > not; not
need to > not; not have to > not; no longer > not; leave out > exclude; leaves out > exclude; leaving out > exclude;
left out > exclude; take out > remove; taken out > remove; take away > subtract; taken off > subtract; leave alone >
not; make sure > ensure; turn on > enable; switch on > enable; turn off > disable; switch off > disable; switched
off > disable; switched on > enable; shut down > shut_down; start up > start_up; round up > round_up; round down >
round_down; scale out > scale_out; scale up > scale_out; scale in > scale_in; scale down > scale_in; plug in >
plug_in; log in > log_in; log out > log_out; opt in > opt_in; opt out > opt_out; at once > immediately; right away >
immediately; straight away > immediately; roll back > revert; rolled back > revert; per cent > %; for example > eg;
for instance > eg; such as > eg; time zone > timezone; time stamp > timestamp; time stamps > timestamp; lower case >
lowercase; upper case > uppercase; depth first > depth_first; breadth first > breadth_first; left join > LEFT_JOIN;
inner join > INNER_JOIN; work out > compute; figure out > compute; set up > build; look up > search; look for >
search; try again > retry; carry on > continue; keep on > continue; go on > continue; every time > always; each time
> always; under no circumstances > never; at no time > never; on no account > never; by no means > never; not only >
also;
"""

IRREGULAR = """
be: is are was were been being am; have: has had having; do: does did done doing; go: goes went gone; keep: kept;
leave: left; send: sent; write: wrote written; read: reads; give: gave given; take: took taken; choose: chose
chosen; get: got gotten; make: made; pay: paid; buy: bought; sell: sold; find: found; hold: held; put: puts; begin:
began begun; break: broke broken; speak: spoke spoken; rise: rose risen; fall: fell fallen; grow: grew grown; draw:
drew drawn; know: knew known; show: shown; think: thought; bring: brought; tell: told; say: said; see: saw seen;
lose: lost; win: won; mean: meant; meet: met; come: came; become: became; run: ran running; hide: hid hidden;
forget: forgot forgotten; spend: spent; build: built; freeze: froze frozen; swing: swung; stand: stood; understand:
understood; feel: felt; let: lets; cut: cuts cutting; set: sets setting; split: splits splitting; shut: shuts
shutting; teach: taught; catch: caught; lie: lain; lay: laid; index: indices indexes; child: children; person:
people persons; man: men; woman: women; foot: feet; datum: data; criterion: criteria; analysis: analyses; basis:
bases; high: higher highest; low: lower lowest; large: larger largest; big: bigger biggest; small: smaller smallest;
great: greater greatest; new: newer newest; old: older oldest; early: earlier earliest; late: later; near: nearer
nearest; close: closer closest; long: longer longest; short: shorter shortest; heavy: heavier heaviest; light:
lighter lightest; cheap: cheaper cheapest; narrow: narrower narrowest; broad: broader broadest; wide: wider widest;
easy: easier easiest; strong: stronger strongest; specific: specifically;
"""

UNITS = """
time: 1/1000 ms millisecond milliseconds, 1 s sec secs second seconds, 60 min mins minute minutes, 3600 h hr hrs
hour hours, 86400 day days, 604800 week weeks; months: 1 month months, 3 quarter quarters, 12 year years; share:
1/10000 bps bp basis, 1/100 % percent percentage; bytes: 1 byte bytes b, 1000 kb kilobyte kilobytes, 1000000 mb
megabyte megabytes, 1000000000 gb gigabyte gigabytes, 1000000000000 tb terabyte terabytes; mass: 1/1000 mg milligram
milligrams, 1 g gram grams, 1000 kg kilogram kilograms kilo kilos; length: 1/1000 mm, 1/100 cm centimetre
centimetres, 1 m metre metres meter meters, 1000 km kilometre kilometres kilometers; dollar: 1 $ usd dollar dollars;
euro: 1 € eur euro euros; pound: 1 £ gbp pound pounds; cent: 1 cent cents; yen: 1 ¥ jpy yen; forenoon: 1 am;
afternoon: 1 pm; word: 1 word words; character: 1 character characters; token: 1 token tokens; line: 1 line lines;
row: 1 row rows; times: 1 times time; places: 1 decimal decimals digit digits place places;
"""
