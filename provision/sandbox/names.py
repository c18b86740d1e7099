"""Owns the names, places and titles the sandbox's people are made of, for a dozen cultures.
Never decides who exists; `people` does.

A name in another script is written `native|latin`; the Latin half is what a sign-in name is spelled with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Culture:
    """Where somebody comes from: `family_first` says how the display name is put together."""

    country: str
    country_name: str
    language: str
    city: str
    phone: str
    given: tuple[str, ...]
    family: tuple[str, ...]
    family_first: bool = False
    separator: str = " "


def _culture(place: str, given: str, family: str, family_first: bool = False, separator: str = " ") -> Culture:
    country, country_name, language, city, phone = place.split("; ")
    names = (tuple(given.split(", ")), tuple(family.split(", ")))
    return Culture(country, country_name, language, city, phone, *names, family_first, separator)


CULTURES = (
    _culture(
        "NO; Norway; nb-NO; Ålesund; +47",
        "Åse, Bjørn, Sølvi, Øystein, Håkon, Ingrid, Torbjørn, Solveig, Gry, Jørgen, Kåre, Marit, Eirik, Rønnaug",
        "Bjørnstad, Ødegård, Sætre, Nygård, Håland, Fjørtoft, Strøm, Lødemel, Aasen, Brække, Kvåle, Myrvåg, Rød, Vågen",
    ),
    _culture(
        "IS; Iceland; is-IS; Akureyri; +354",
        "Þórunn, Guðrún, Ásgeir, Hallgrímur, Ragnheiður, Sigríður, Þorsteinn, Björk, Ólafur, Æsa, Davíð, Freyja",
        "Jónsdóttir, Þórðarson, Guðmundsdóttir, Sigurðsson, Ægisson, Hrafnsdóttir, Björnsson, Ísleifsdóttir, Óskarsson",
    ),
    _culture(
        "DE; Germany; de-DE; Lübeck; +49",
        "Jürgen, Käthe, Günther, Anneliese, Sören, Heike, Björn-Ole, Ursula, Götz, Friederike, Jörg, Mareike, Uwe",
        "Müller, Weiß, Schröder-Lüders, Böhm, Großkopf, Jäger, Köster, Süßmilch, Hübner, von der Höhe, Strauß, Voß, Plöger",
    ),
    _culture(
        "FR; France; fr-FR; Brest; +33",
        "Zoé, François, Anaïs, Jérôme, Hélène, Benoît, Maëlle, Loïc, Cécile, Thérèse, Noël, Aurélie, Côme",
        "Lefèvre, Beauséjour, Le Goff, d'Aubigné, Guérin, Çelik-Roche, Pélissier, Hervé, Brûlé, Noël, L'Hôte, Garçon",
    ),
    _culture(
        "ES; Spain; es-ES; A Coruña; +34",
        "María Fernanda, José Ángel, Íñigo, Begoña, Martín, Nuria, Andrés, Inés, Óscar, Lucía, Joaquín, Ainhoa, Raúl",
        "Fernández-Montesinos y García de la Vega, Ibáñez Núñez, Peña Ortúzar, López de Haro, Muñoz Güell, Castaño Ruiz, "
        "Gómez-Acebo Íñiguez, Yáñez Pérez, Domínguez Solís, Rodríguez-Alcántara Echevarría",
    ),
    _culture(
        "PL; Poland; pl-PL; Gdańsk; +48",
        "Łukasz, Małgorzata, Grażyna, Michał, Żaneta, Paweł, Agnieszka, Wojciech, Zdzisław, Jędrzej, Kinga, Świętosława",
        "Wójcik, Dąbrowska, Żółkiewski, Gołębiewska, Śliwiński, Krawczyk, Źrebiec, Błaszczyk, Piątek, Chrząszcz, Nowak",
    ),
    _culture(
        "TR; Türkiye; tr-TR; İzmir; +90",
        "Çağla, İbrahim, Gülşen, Oğuz, Şebnem, Ümit, Yağmur, Barış, Işıl, Doğan, Ayşe, Kıvanç",
        "Yıldırım, Şahin, Öztürk, Çelik, Kılıç, Aydoğan, Güneş, İnönü, Uğurlu, Demirağ, Koç",
    ),
    _culture(
        "IE; Ireland; en-IE; Galway; +353",
        "Siobhán, Caoimhe, Seán, Niamh, Pádraig, Aoife, Ruairí, Gráinne, Oisín, Fionnuala, Ciarán, Éamon",
        "O'Brien, Ó Súilleabháin, O'Connor, Ní Dhomhnaill, FitzGerald, Mac Giolla Phádraig, O'Shaughnessy, Byrne, D'Arcy",
    ),
    _culture(
        "KZ; Kazakhstan; ru-RU; Алматы; +7",
        "Дмитрий|Dmitrii, Екатерина|Ekaterina, Алексей|Aleksei, Людмила|Liudmila, Юлия|Iuliia, Сергей|Sergei, "
        "Ярослав|Iaroslav, Ольга|Olga, Щукарь|Shchukar, Наталья|Natalia, Фёдор|Fedor",
        "Щербаков|Shcherbakov, Воробьёв|Vorobev, Жуковский|Zhukovskii, Хачатурян|Khachaturian, Цветаев|Tsvetaev, "
        "Ильин|Ilin, Юрьев|Iurev, Черных|Chernykh, Гайдай|Gaidai",
    ),
    _culture(
        "MA; Morocco; ar-MA; الدار البيضاء; +212",
        "محمد|Mohamed, فاطمة الزهراء|Fatima-Zahra, يوسف|Youssef, خديجة|Khadija, عبد الرحمن|Abderrahman, ليلى|Leila, "
        "إبراهيم|Ibrahim, سلمى|Salma, حسن|Hassan, مريم|Maryam",
        "بن عيسى|Benaissa, العلوي|El-Alaoui, الفاسي|El-Fassi, بناني|Bennani, الإدريسي|El-Idrissi, أمزيان|Amziane, "
        "التازي|Tazi, بوعزيز|Bouaziz",
    ),
    _culture(
        "IN; India; hi-IN; मुंबई; +91",
        "प्रिया|Priya, अर्जुन|Arjun, लक्ष्मी|Lakshmi, राजेश|Rajesh, श्रेया|Shreya, कृष्ण|Krishna, अनन्या|Ananya, विक्रम|Vikram, "
        "स्मृति|Smriti, ऋषि|Rishi",
        "शर्मा|Sharma, श्रीवास्तव|Shrivastava, पटेल|Patel, चतुर्वेदी|Chaturvedi, मेहता|Mehta, त्रिपाठी|Tripathi, "
        "वर्मा|Verma, नायर|Nair",
    ),
    _culture(
        "CN; China; zh-CN; 上海; +86",
        "伟|Wei, 秀英|Xiuying, 建国|Jianguo, 晓明|Xiaoming, 丽华|Lihua, 志强|Zhiqiang, 雪梅|Xuemei, 子轩|Zixuan, 欣怡|Xinyi",
        "王|Wang, 李|Li, 欧阳|Ouyang, 司马|Sima, 陈|Chen, 赵|Zhao, 黄|Huang, 诸葛|Zhuge, 吕|Lu, 谢|Xie",
        family_first=True,
        separator="",
    ),
    _culture(
        "JP; Japan; ja-JP; 横浜市; +81",
        "陽子|Yoko, 健一|Kenichi, 美咲|Misaki, 大翔|Hiroto, 凛|Rin, 翔太|Shota, "
        "さくら|Sakura, 悠真|Yuma, 恵美|Emi, 龍之介|Ryunosuke",
        "佐藤|Sato, 鈴木|Suzuki, 髙橋|Takahashi, 渡邊|Watanabe, "
        "小野寺|Onodera, 長谷川|Hasegawa, 齋藤|Saito, 勅使河原|Teshigawara",
        family_first=True,
    ),
    _culture(
        "KR; Korea; ko-KR; 부산; +82",
        "민준|Minjun, 서연|Seoyeon, 지우|Jiwoo, 하은|Haeun, 도현|Dohyun, 수빈|Subin, 예준|Yejun, 은지|Eunji",
        "김|Kim, 이|Lee, 박|Park, 최|Choi, 정|Jeong, 남궁|Namgung, 선우|Seonwoo, 황|Hwang",
        family_first=True,
        separator="",
    ),
    _culture(
        "VN; Vietnam; vi-VN; Đà Nẵng; +84",
        "Thị Hương, Văn Đức, Minh Tuấn, Thùy Dung, Quốc Bảo, Ngọc Ánh, Hữu Phước, Bích Ngọc, Đình Khôi, Mỹ Lệ",
        "Nguyễn, Trần, Phạm, Đặng, Hoàng, Võ, Bùi, Đỗ, Dương, Lý",
        family_first=True,
    ),
)

DEPARTMENTS = {
    "Bridge": ("Captain", "First Officer", "Navigator", "Deckhand"),
    "Chartering": ("Head of Chartering", "Charter Broker", "Freight Analyst", "Trainee"),
    "Engine Room": ("Chief Engineer", "Second Engineer", "Motorman", "Electrician"),
    "Finance": ("Chief Financial Officer", "Controller", "Accountant", "Payroll Clerk"),
    "IT": ("Head of IT", "Systems Administrator", "Service Desk Analyst", "Developer"),
    "People & Crewing": ("Head of Crewing", "Crew Planner", "Recruiter", "HR Assistant"),
    "Port Operations": ("Port Captain", "Terminal Planner", "Crane Operator", "Dispatcher"),
    "Quality, Health & Safety": ("Safety Director", "Auditor", "Inspector", "Nurse"),
}
OFFICES = ("Pier 4", "Kai 12", "Warehouse B", "Tower 3/217", "Home")
ROOMS = ("Lighthouse", "Crow's Nest", "Galley", "Chart Room", "Boathouse", "Lagoon")
MAILBOXES = ("Bookings", "Invoices", "Jobs", "Security", "Press", "Lost & Found")
PARTNERS = ("harbour-pilots.example", "tugs-and-tows.example", "nordic-customs.example")

# What Unicode doesn't decompose on its own.
LETTERS = str.maketrans(
    {
        "ø": "o", "Ø": "O", "æ": "ae", "Æ": "Ae", "å": "a", "Å": "A", "ß": "ss", "ð": "d", "Ð": "D", "þ": "th",
        "Þ": "Th", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "İ": "I",
    }
)  # fmt: skip


def halves(name: str) -> tuple[str, str]:
    """Split `native|latin`; a Latin name is its own other half."""
    native, _, latin = name.partition("|")
    return native, latin or native
